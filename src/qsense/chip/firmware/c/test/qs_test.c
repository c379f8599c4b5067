/*
 * Checks the project by itself: samples that wander, jump and rest at both ends of the sensor's range are made here, and
 * each window's class, margin and majority are compared with a checksum that the export computed from its reference.
 * Then sender and receiver must say the same as qs_push, over a clean line and over one with damaged packets.
 */
#include <stdio.h>
#include <string.h>

#include "qs.h"
#include "qs_expected.h"
#include "qs_receiver.h"
#include "qs_sender.h"

static qs_state state;
static qs_sender sender;
static qs_receiver receiver;
static int failures;

/* Numbers that look random: 0 ... 65535. */
static uint32_t seed;
static uint32_t draw(void)
{
    seed = seed * UINT32_C(1664525) + UINT32_C(1013904223);
    return seed >> 16;
}

/* The next sample: 16 of each kind, one kind after the other. */
static void make(uint32_t time, int32_t counts[QS_CHANNELS], qs_sample sample[QS_CHANNELS])
{
    const int32_t highest = (INT32_C(1) << QS_NATIVE_BITS) - 1;
    unsigned c;
    for (c = 0; c < QS_CHANNELS; c++) {
        const uint32_t random = draw();
        switch (time / 16 % 4) {
        case 0: /* anything */
            counts[c] = (int32_t)((random << 8 ^ random) & (uint32_t)highest);
            break;
        case 1: /* one end or the other */
            counts[c] = random & 1 ? highest : 0;
            break;
        case 2: /* as before */
            break;
        default: /* a step aside */
            counts[c] += (int32_t)(random % 65) * (highest / 256 + 1) - 32 * (highest / 256 + 1);
            break;
        }
        if (counts[c] < 0) counts[c] = 0;
        if (counts[c] > highest) counts[c] = highest;
        sample[c] = (qs_sample)(counts[c] - QS_MIDDLE);
    }
}

/* Windows and their checksum (FNV-1a). */
typedef struct {
    unsigned long windows;
    uint32_t sum;
} report;

static void number(report *to, uint32_t value)
{
    unsigned b;
    for (b = 0; b < 32; b += 8) to->sum = (to->sum ^ (value >> b & 0xffu)) * UINT32_C(16777619);
}

static void add(report *to, const qs_result *result)
{
    to->windows++;
    number(to, result->start);
    number(to, (uint32_t)result->class_index);
    number(to, (uint32_t)result->margin);
    number(to, (uint32_t)result->majority);
}

static report begin(void)
{
    const report none = {0, UINT32_C(2166136261)};
    return none;
}

static int same(const report *a, const report *b)
{
    return a->windows == b->windows && a->sum == b->sum;
}

static void check(const char *what, int passed, const report *found)
{
    printf("%s: %s: %lu windows, checksum %08lx\n", passed ? "PASS" : "FAIL", what, found->windows,
           (unsigned long)found->sum);
    if (!passed) failures++;
}

static report alone(void)
{
    report found = begin();
    int32_t counts[QS_CHANNELS] = {0};
    qs_sample sample[QS_CHANNELS];
    qs_result result;
    uint32_t time;
    seed = 1;
    qs_reset(&state);
    for (time = 0; time < QS_EXPECTED_SAMPLES; time++) {
        make(time, counts, sample);
        if (qs_push(&state, sample, &result) != QS_NONE) add(&found, &result);
    }
    return found;
}

static void arrive(const uint8_t *packet, unsigned length, report *found)
{
    qs_result result;
    int now;
    if (qs_receive(&receiver, packet, length) < 0) return;
    while ((now = qs_next(&receiver, &result)) != QS_EMPTY)
        if (now != QS_NONE) add(found, &result);
}

/* Sender and receiver; with garbage on the line, packets that a receiver must refuse lie between the good ones. */
static report apart(uint16_t recording, int garbage)
{
    static uint8_t wrong[QS_PACKET_BYTES + 4];
    report found = begin(), ignored = begin();
    int32_t counts[QS_CHANNELS] = {0};
    qs_sample sample[QS_CHANNELS];
    uint32_t time, kept, noise = 7;
    unsigned length, i;
    seed = 1;
    qs_sender_start(&sender, recording);
    for (time = 0; time < QS_EXPECTED_SAMPLES; time++) {
        make(time, counts, sample);
        length = qs_encode(&sender, sample);
        if (time + 1 == QS_EXPECTED_SAMPLES && length == 0) length = qs_sender_flush(&sender);
        if (length == 0) continue;
        kept = seed;
        if (garbage) {
            seed = noise;
            memcpy(wrong, sender.packet, length);
            wrong[draw() % length] ^= (uint8_t)(1u << draw() % 8);
            arrive(wrong, length, &ignored);
            memcpy(wrong, sender.packet, length);
            arrive(wrong, draw() % length, &ignored);
            for (i = 0; i < sizeof wrong; i++) wrong[i] = (uint8_t)draw();
            if (draw() & 1) wrong[0] = QS_PACKET_FORMAT;
            arrive(wrong, draw() % (unsigned)sizeof wrong, &ignored);
            noise = seed;
        }
        arrive(sender.packet, length, &found);
        if (garbage) arrive(sender.packet, length, &ignored); /* twice */
        seed = kept;
    }
    found.windows += ignored.windows; /* there must be none */
    return found;
}

int main(void)
{
    report expected = {QS_EXPECTED_WINDOWS, QS_EXPECTED_CHECKSUM}, found;
    qs_init(&state);
    found = alone();
    check("qs_push against the reference", same(&found, &expected), &found);
    found = alone();
    check("again, after qs_reset", same(&found, &expected), &found);
    qs_receiver_init(&receiver);
    found = apart(1, 0);
    check("sender and receiver", same(&found, &expected), &found);
    found = apart(2, 1);
    check("with garbage on the line", same(&found, &expected), &found);
    return failures != 0;
}
