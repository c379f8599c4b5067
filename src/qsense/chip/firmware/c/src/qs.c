/* Converter and network on one processor. */
#include "qs.h"

void qs_init(qs_state *state)
{
    qs_reset(state);
}

void qs_reset(qs_state *state)
{
    qs_converter_start(&state->converter);
    qs_network_start(&state->network);
}

int qs_push(qs_state *state, const qs_sample sample[QS_CHANNELS], qs_result *result)
{
    qs_code codes[QS_CHANNELS];
    int16_t input[QS_CHANNELS];
    qs_converter_encode(&state->converter, sample, codes);
    qs_converter_known(&state->converter, codes, input);
    return qs_network_push(&state->network, input, result);
}
