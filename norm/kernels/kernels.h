/* SPDX-License-Identifier: MIT */
/*
 * The loops over elements, compiled once for each set of vector instructions that is worth it, from the same source.
 * Every set gives the same bits (docs/MATH.md, rule 3: the lanes of a sum are fixed by the view, not by the registers),
 * so which one a machine uses shows in the time alone. The best one is looked up at each call, which costs a load and a
 * test: no resolver runs before main(), where sanitizers are not ready for one. Private to norm/.
 */
#ifndef NORM_KERNELS_KERNELS_H
#define NORM_KERNELS_KERNELS_H

#include <stdbool.h>

#include "norm/kernels/backward_terms.h"
#include "norm/kernels/columns.h"
#include "norm/view.h"

/* Weight and bias of a layer that has none, for as many positions as a loop takes at a time. */
struct identity {
	double weight[COLUMNS_MAX];
	double bias[COLUMNS_MAX];
};

static inline void
identity_init(struct identity *id)
{
	size_t i;

	for (i = 0; i < COLUMNS_MAX; i++) {
		id->weight[i] = 1;
		id->bias[i] = 0;
	}
}

/*
 * The loops for one type of element: of moments(), moments_part(), mean_squares(), normalize_by_feature(),
 * normalize_batch_part(), normalize_rows(), normalize_rows_by(), normalize_clip(); and of the backward pass: the sums,
 * the gradients from them, both at once, a few rows of backward_rows(), backward_clip().
 */
struct kernels_of_real {
	void (*moments)(const void *x, struct norm_view view, double *mean, double *var);
	/* `rest`, unless it is NULL: what rounding took from the means. */
	void (*moments_part)(
	    const void *x, struct norm_view view, size_t first, size_t end, double *mean, double *rest, double *var);
	void (*squares)(const void *x, struct norm_view view, double *square);
	bool (*by_feature)(void *x, struct norm_view view, const double *mean, const double *rstd, const double *weight,
	    const double *bias);
	bool (*batch_part)(void *x, struct norm_view view, size_t first, size_t end, double eps, const double *weight,
	    const double *bias, double *mean, double *var, double *rstd);
	bool (*rows)(void *x, size_t rows, size_t size, bool centered, double eps, const double *weight,
	    const double *bias, const struct identity *identity);
	bool (*rows_by)(void *x, size_t rows, size_t size, const double *mean, const double *rstd, const double *weight,
	    const double *bias, const struct identity *identity);
	void (*clip)(void *x, size_t count, double limit);
	void (*gradients_part)(const void *x, const void *g, struct norm_view view, size_t first, size_t end,
	    const double *mean, const double *rstd, double *sum, double *product);
	bool (*backward)(const void *x, void *g, struct norm_view view, const double *mean, const double *rstd,
	    const struct coefficients *by);
	bool (*backward_part)(const void *x, void *g, struct norm_view view, size_t first, size_t end, size_t count,
	    const double *mean, const double *rstd, const double *weight, double *sum, double *product,
	    const struct coefficients *by);
	bool (*rows_backward)(const void *x, void *g, size_t rows, size_t size, bool centered, double eps,
	    const double *weight, double *grad_weight, double *grad_bias);
	void (*clip_backward)(void *g, const void *y, size_t count, double limit);
};

/* Of no type: to n sums in double, in two parts each as in struct sum, n numbers are added, which become 0. */
struct kernels {
	const char *name;
	void (*fold)(double *recent, double *high, double *low, size_t n);
	const struct kernels_of_real *of[NORM_REALS];
};

/*
 * The sets that this processor can run, from the one that any can to the widest; `at` counts from 0, NULL is after the
 * last.
 */
const struct kernels *kernels_usable(size_t at);

/* The widest of them. */
const struct kernels *kernels_best(void);

/* Where the compiler can be told to use instructions that the rest of the program does without. */
#if defined(__x86_64__) && defined(__GNUC__)
#define KERNELS_X86 1
#else
#define KERNELS_X86 0
#endif

#define KERNELS_OF_SET(set) \
	extern const struct kernels set; \
	extern const struct kernels_of_real set##_float, set##_double, set##_half, set##_bfloat

KERNELS_OF_SET(kernels_portable);
#if KERNELS_X86
KERNELS_OF_SET(kernels_avx2);
KERNELS_OF_SET(kernels_avx512);
#endif

#endif
