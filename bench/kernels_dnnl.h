/* SPDX-License-Identifier: MIT */
/*
 * oneDNN's primitives beside which the kernels are measured: batch normalization over (N, C, spatial) float32 or
 * channels last, and layer normalization over rows. Each is made once for a shape and then run as often as is asked; no
 * threads but one when OMP_NUM_THREADS says so. A failure of oneDNN ends the program.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct dnnl_race;

enum dnnl_race_pass {
	DNNL_RACE_INFER, /* batch normalization by mean 0 and variance 1 */
	DNNL_RACE_TRAIN, /* by the batch's own statistics, or the row's */
	/* the gradients by x, weight and bias; mean 0 and variance 1 are given, which is how oneDNN wants it */
	DNNL_RACE_BACKWARD
};

/* Weight and bias are 1 and 0. Layer normalization knows no DNNL_RACE_INFER. */
struct dnnl_race *
dnnl_race_batch_norm(size_t n, size_t channels, size_t positions, bool channels_last, enum dnnl_race_pass pass);
struct dnnl_race *dnnl_race_layer_norm(size_t rows, size_t size, enum dnnl_race_pass pass);

/*
 * Normalizes x into y, which may be x itself: the primitive says which it is made for by being run so. Backward, y is
 * the gradient by the output and becomes, in place, the one by x.
 */
void dnnl_race_run(struct dnnl_race *race, float *x, float *y);

void dnnl_race_free(struct dnnl_race *race); /* NULL is fine */
