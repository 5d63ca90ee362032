/* SPDX-License-Identifier: MIT */
/*
 * The loops over elements, compiled from one source for each set of vector instructions that pays off. All sets give
 * the same bits: the view fixes the lanes of a sum, not the registers (docs/MATH.md, rule 3). kernels_best() looks the
 * set up at each call, which costs a load and a test; a resolver before main() would run before sanitizers are ready.
 * Private to norm/.
 */
#pragma once

#include <stdbool.h>

#include "norm/kernels/columns.h"
#include "norm/pass.h"

/* Runs the loops of a pass over one part. Returns whether every element written is finite. */
typedef bool kernel(const struct norm_pass *p, struct norm_part part);

/*
 * The loops for one type of element. A comment names what `part` counts; norm/pass.h says what each reads and writes.
 */
struct kernels_of_real {
	kernel *moments;        /* features */
	kernel *batch;          /* features */
	kernel *by_feature;     /* indices of outer */
	kernel *shifts;         /* features; leaves what observe sums about in `mean` */
	kernel *observe;        /* features; sums to `scratch`, if any (norm/kernels/observe_body.h) */
	kernel *rows;           /* rows */
	kernel *rows_by;        /* rows */
	kernel *clip;           /* elements */
	kernel *sums;           /* features */
	kernel *batch_backward; /* features */
	kernel *terms_backward; /* indices of outer, by the terms in `scratch` (norm/kernels/backward_terms.h) */
	kernel *rows_backward;  /* at most ROWS_TOGETHER rows; adds to grad_weight and grad_bias */
	kernel *clip_backward;  /* elements */

	/* Adds n numbers to as many sums of two doubles each (struct sum), and sets the numbers to 0. */
	void (*fold)(double *recent, double *high, double *low, size_t n);
};

struct merge;
struct statistics;
struct update;

/* Sets the moments of `out` to those of `in` and `u` merged. Returns whether all of them are finite. */
typedef bool
kernel_merge(const struct statistics *in, const struct update *u, const struct merge *by, const struct statistics *out);

/* normalize_rstd(). */
typedef void kernel_rstd(const double *var, double eps, size_t features, double *rstd);

/* One set of vector instructions. */
struct kernels {
	const char *name;
	const struct kernels_of_real *of[NORM_REALS];
	kernel_merge *merge;
	kernel_rstd *rstd;
};

/* Set `at` of those that this processor can run, from the portable one to the widest; NULL after the last. */
const struct kernels *kernels_usable(size_t at);

/* The widest of them. */
const struct kernels *kernels_best(void);

static inline const struct kernels_of_real *
kernels_for(const struct norm_pass *p)
{
	return kernels_best()->of[p->real];
}

/* Defines `name`, a norm_op's part that one kernel computes. */
#define KERNELS_PART(name, kernel) \
	static bool name(const struct norm_pass *p, struct norm_part part) \
	{ \
		return kernels_for(p)->kernel(p, part); \
	}

/* Weights and biases of a layer that has none, for as many positions as a loop takes at a time. */
extern const double kernels_ones[COLUMNS_MAX], kernels_zeros[COLUMNS_MAX];

/* Whether the compiler can be told to use instructions that the rest of the program does without. */
#if defined(__x86_64__) && defined(__GNUC__)
#define KERNELS_X86 1
#else
#define KERNELS_X86 0
#endif

#define KERNELS_OF_SET(set) \
	extern const struct kernels_of_real kernels_##set##_float, kernels_##set##_double, kernels_##set##_half, \
	    kernels_##set##_bfloat; \
	kernel_merge kernels_##set##_merge; \
	kernel_rstd kernels_##set##_rstd

KERNELS_OF_SET(portable);
#if KERNELS_X86
KERNELS_OF_SET(avx2);
KERNELS_OF_SET(avx512);
#endif
