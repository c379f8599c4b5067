/* Whole recordings through `recursion.h`, channel by channel; see kernel.py. */
#include "recursion.h"
#define CHANNELS_AT_ONCE 4

/* Samples, codes and values are [time, channels]; bounds [recordings + 1] say where each recording starts. */
void convert(const qsense_memory *memory, int64_t channels, const int64_t *bounds, int64_t recordings,
             const uint16_t *counts, uint16_t *codes, int16_t *values)
{
    for (int64_t recording = 0; recording < recordings; recording++)
        for (int64_t first = 0; first < channels; first += CHANNELS_AT_ONCE) {
            /* Channels side by side: the processor works on one while another waits for its last result. */
            const int64_t some = channels - first < CHANNELS_AT_ONCE ? channels - first : CHANNELS_AT_ONCE;
            qsense_state state[CHANNELS_AT_ONCE];
            qsense_memory local[CHANNELS_AT_ONCE];
            for (int64_t c = 0; c < some; c++) {
                local[c] = memory[first + c];
                qsense_start(&local[c], &state[c], local[c].centre);
            }
            for (int64_t t = bounds[recording]; t < bounds[recording + 1]; t++)
                for (int64_t c = 0; c < some; c++) {
                    const int64_t at = t * channels + first + c;
                    codes[at] = (uint16_t)qsense_encode(&local[c], &state[c], counts[at]);
                    values[at] = (int16_t)state[c].value;
                }
        }
}

void decode(const qsense_memory *memory, int64_t channels, const int64_t *bounds, int64_t recordings,
            const uint16_t *codes, const uint8_t *lost, int16_t *values)
{
    for (int64_t recording = 0; recording < recordings; recording++)
        for (int64_t c = 0; c < channels; c++) {
            qsense_state state;
            qsense_start(&memory[c], &state, memory[c].centre);
            for (int64_t t = bounds[recording]; t < bounds[recording + 1]; t++) {
                const int64_t at = t * channels + c;
                values[at] = (int16_t)(lost && lost[t] ? qsense_lose(&memory[c], &state)
                                                       : qsense_decode(&memory[c], &state, codes[at]));
            }
        }
}
