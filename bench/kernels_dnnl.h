/*
 * oneDNN's primitives beside which the kernels are measured: batch normalization over (N, C, spatial) float32 or channels last, and
 * layer normalization over rows. Each is made once for a shape and then run as often as is asked; no threads but one when
 * OMP_NUM_THREADS says so. A failure of oneDNN ends the program.
 */
#ifndef BENCH_KERNELS_DNNL_H
#define BENCH_KERNELS_DNNL_H

#include <stdbool.h>
#include <stddef.h>

struct dnnl_race;

/* `training` takes the batch's own statistics; else mean 0 and variance 1 are given. Weight and bias are 1 and 0. */
struct dnnl_race *dnnl_race_batch_norm(size_t n, size_t channels, size_t positions, bool channels_last, bool training);
struct dnnl_race *dnnl_race_layer_norm(size_t rows, size_t size);

/* Normalizes x into y, which may be x itself: the primitive says which it is made for by being run so. */
void dnnl_race_run(struct dnnl_race *race, float *x, float *y);

void dnnl_race_free(struct dnnl_race *race);

#endif
