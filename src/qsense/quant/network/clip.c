/* Evenly quantized activations in one pass over memory, where ATen takes four forward and three backward: see clip.py.
   Compiled without contracting a·b + c, so that every value is the very one that ATen's passes give. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { BLOCK = 4096, LANES = 32 }; /* sums run lane by lane, block by block: the same with any number of threads */

typedef struct {
    float unit, low, top; /* values are unit · k for the integers k = low … top */
} Grid;

static inline float nearest(float x, float inverse, Grid grid)
{
    float k = nearbyintf(x * inverse);
    k = k < grid.low ? grid.low : k; /* false for a NaN, which stays one */
    k = k > grid.top ? grid.top : k;
    return k * grid.unit;
}

static void quantize_block(const float *restrict x, float *restrict y, int64_t count, Grid grid)
{
    const float inverse = 1.0f / grid.unit;
    for (int64_t i = 0; i < count; i++)
        y[i] = nearest(x[i], inverse, grid);
}

static double gradients_block(const float *restrict g, const float *restrict x, float *restrict dx, int64_t count,
                              Grid grid, float from, float to, int pact)
{
    const float inverse = 1.0f / grid.unit;
    float sums[LANES] = {0.0f};
    for (int64_t i = 0; i < count; i += LANES) {
        const int64_t lanes = count - i < LANES ? count - i : LANES;
        for (int64_t lane = 0; lane < lanes; lane++) {
            const float here = x[i + lane], gradient = g[i + lane], y = nearest(here, inverse, grid);
            const float passed = (here >= from) & (here <= to) ? gradient : 0.0f;
            dx[i + lane] = passed;
            sums[lane] += gradient * y - passed * (pact ? y : here);
        }
    }
    double sum = 0.0;
    for (int64_t lane = 0; lane < LANES; lane++)
        sum += sums[lane];
    return sum;
}

/* y = unit · clamp(round(x / unit), low, top). */
void quantize(const float *x, float *y, int64_t count, Grid grid, int threads)
{
    const int64_t blocks = (count + BLOCK - 1) / BLOCK;
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int64_t block = 0; block < blocks; block++) {
        const int64_t start = block * BLOCK, rest = count - start;
        quantize_block(x + start, y + start, rest < BLOCK ? rest : BLOCK, grid);
    }
}

/* dx = g where from <= x <= to, else 0. Returns Σ g·y - dx·x (with pact: - dx·y), or NaN where memory is out. */
double gradients(const float *g, const float *x, float *dx, int64_t count, Grid grid, float from, float to, int pact,
                 int threads)
{
    const int64_t blocks = (count + BLOCK - 1) / BLOCK;
    double total = 0.0, *sums = malloc(blocks * sizeof *sums);
    if (!sums)
        return NAN;
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int64_t block = 0; block < blocks; block++) {
        const int64_t start = block * BLOCK, rest = count - start;
        sums[block] = gradients_block(g + start, x + start, dx + start, rest < BLOCK ? rest : BLOCK, grid, from, to, pact);
    }
    for (int64_t block = 0; block < blocks; block++)
        total += sums[block];
    free(sums);
    return total;
}
