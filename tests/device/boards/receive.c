/* The receiver's side alone: packets into classes.
 * Open it with send.c, whose packets.bin it reads; it writes classes.bin (a `struct row` for each class; ticks of all
 * calls since the class before, and of the longest one). */
#include "board.h"
#include "qs_receiver.h"
#include "row.h"

static qs_receiver state;
static uint8_t packet[QS_PACKET_BYTES];

int main(void) {
    const int32_t input = file_open("packets.bin", READ_BYTES), output = file_open("classes.bin", WRITE_BYTES);
    struct row row = {0};
    uint32_t length;
    qs_result result;
    qs_receiver_init(&state);
    while (file_read(input, &length, sizeof length) == sizeof length && length <= sizeof packet) {
        file_read(input, packet, length);
        int now = QS_NONE;
        uint32_t began = board_ticks();
        qs_receive(&state, packet, length);
        while (now != QS_EMPTY) {
            now = qs_next(&state, &result);
            const uint32_t ticks = board_ticks() - began;
            row.ticks += ticks;
            row.longest = ticks > row.longest ? ticks : row.longest;
            if (now >= 0) {
                row.recording = state.recording;
                row.start = result.start;
                row.winner = now;
                row.margin = result.margin;
                row.majority = result.majority;
                file_write(output, &row, sizeof row);
                row.ticks = row.longest = 0;
            }
            began = board_ticks();
        }
    }
    file_close(output);
    return 0;
}
