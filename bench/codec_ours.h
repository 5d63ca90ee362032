/* The codec's side of the benchmark, compiled as C like the codec itself. */
#ifndef BENCH_CODEC_OURS_H
#define BENCH_CODEC_OURS_H

#include <stddef.h>

/*
 * Read comma-separated numbers from [p, limit) to `out`, as the scanner does: to the byte that follows one and is no comma.
 * Return how many. The `called` ones go through decimal_read_*, the others through the inline path.
 */
size_t ours_read_f32(const char *p, const char *limit, float *out);
size_t ours_read_f64(const char *p, const char *limit, double *out);
size_t ours_read_f32_called(const char *p, const char *limit, float *out);
size_t ours_read_f64_called(const char *p, const char *limit, double *out);

/* Write `n` numbers, a comma after each; return the bytes. */
size_t ours_write_f32(const float *values, size_t n, char *out);
size_t ours_write_f64(const double *values, size_t n, char *out);

#endif
