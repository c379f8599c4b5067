/*
 * Recordings through converter and network, on a computer: qs_run FILE ...
 *
 * A file holds one recording, samples of QS_CHANNELS numbers without a gap, each of two bytes, the low one first (four
 * where the sensor has more than 16 bits). Each window gives a line: number of the file, first sample, class, margin,
 * majority.
 */
#include "qs.h"
#include "qs_samples.h"

static int run(const char *path, int number)
{
    static qs_state state;
    qs_sample sample[QS_CHANNELS];
    qs_result result;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    if (number == 0) qs_init(&state);
    qs_reset(&state);
    while (read_sample(file, sample))
        if (qs_push(&state, sample, &result) != QS_NONE)
            printf("%d %lu %d %ld %d\n", number, (unsigned long)result.start, result.class_index, (long)result.margin,
                   result.majority);
    fclose(file);
    return 0;
}

int main(int argc, char **argv)
{
    int i;
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE ...\n", argv[0]);
        return 2;
    }
    for (i = 1; i < argc; i++)
        if (run(argv[i], i - 1)) return 1;
    return 0;
}
