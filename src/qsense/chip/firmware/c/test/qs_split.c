/*
 * Recordings through sender, a bad line, and receiver: qs_split FATES FILE ...
 *
 * FATES has a letter for each packet, and begins anew at its end: . arrives, x gets lost, d arrives twice, r arrives
 * after the next one (which is no r), t arrives cut off, g arrives behind garbage, b arrives with a wrong bit. Files and
 * lines are those of qs_run.
 */
#include <string.h>

#include "qs_receiver.h"
#include "qs_samples.h"
#include "qs_sender.h"

#define FIRST 77 /* number of the first recording */

static qs_sender sender;
static qs_receiver receiver;

static void arrive(const uint8_t *packet, unsigned length)
{
    qs_result result;
    int now;
    if (qs_receive(&receiver, packet, length) < 0) return;
    while ((now = qs_next(&receiver, &result)) != QS_EMPTY)
        if (now != QS_NONE)
            printf("%d %lu %d %ld %d\n", receiver.recording - FIRST, (unsigned long)result.start, result.class_index,
                   (long)result.margin, result.majority);
}

static void transmit(const char *fates, unsigned long packets, unsigned length)
{
    static uint8_t delayed[QS_PACKET_BYTES], other[QS_PACKET_BYTES];
    static unsigned delayed_length;
    const unsigned waiting = delayed_length;
    const char fate = fates[packets % strlen(fates)];
    unsigned i;
    delayed_length = 0;
    memcpy(other, sender.packet, length);
    switch (fate) {
    case 'd':
        arrive(sender.packet, length);
        break;
    case 't':
        length -= 1 + (unsigned)(packets % length);
        break;
    case 'g':
        for (i = 0; i < length; i++) other[i] = (uint8_t)(37 * i + packets);
        arrive(other, length);
        break;
    case 'b':
        sender.packet[packets % length] ^= (uint8_t)(1u << packets % 8);
        break;
    default:
        break;
    }
    if (fate == 'r') {
        memcpy(delayed, sender.packet, length);
        delayed_length = length;
    } else if (fate != 'x') {
        arrive(sender.packet, length);
    }
    if (waiting) arrive(delayed, waiting);
}

static int run(const char *path, const char *fates, int number)
{
    qs_sample sample[QS_CHANNELS];
    unsigned long packets = 0;
    unsigned length;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    qs_sender_start(&sender, (uint16_t)(number + FIRST));
    while (read_sample(file, sample))
        if ((length = qs_encode(&sender, sample)) != 0) transmit(fates, packets++, length);
    if ((length = qs_sender_flush(&sender)) != 0) transmit(fates, packets, length);
    fclose(file);
    return 0;
}

int main(int argc, char **argv)
{
    int i;
    if (argc < 3) {
        fprintf(stderr, "usage: %s FATES FILE ...\n", argv[0]);
        return 2;
    }
    qs_receiver_init(&receiver);
    for (i = 2; i < argc; i++)
        if (run(argv[i], argv[1], i - 2)) return 1;
    return 0;
}
