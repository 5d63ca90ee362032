/* SPDX-License-Identifier: MIT */
/*
 * The gradient by x is linear in the gradient by y and in x, with the same numbers for all values that share their
 * moments (docs/MATH.md, equation 21). Private to norm/.
 */
#pragma once

#include "norm/pass.h"

/* dx = by_g g + by_x (x - mean) + constant. */
struct backward_terms {
	double by_g;
	double by_x;
	double constant;
};

/*
 * The terms of `n` values that share mean and rstd. `weight` is the factor that these values share; h is g times the
 * rest of its weight. `sum` is the sum of h, `product` the sum of h (x - mean). n = 0: mean and rstd are constants.
 */
static inline struct backward_terms
backward_terms_of(double weight, double rstd, double n, double sum, double product)
{
	const double scale = weight * rstd;

	if (n == 0) /* no gradient flows through the moments */
		return (struct backward_terms){ .by_g = scale };
	return (struct backward_terms){
		.by_g = scale,
		.by_x = -(scale * (product * rstd) * rstd) / n,
		.constant = -(scale * sum) / n,
	};
}

/* The terms of many features, an array each, and the features' means. */
struct feature_terms {
	const double *mean;
	double *by_g, *by_x, *constant;
};

/* Doubles of scratch memory for `features` features. */
#define FEATURE_TERMS_SCRATCH(features) (3 * (features))

/* The terms of a pass, in its scratch memory. */
static inline struct feature_terms
feature_terms_in(const struct norm_pass *p)
{
	const size_t features = p->view.feature;

	return (struct feature_terms){ p->by.mean, p->scratch, p->scratch + features, p->scratch + 2 * features };
}

/* Sets the terms of feature f from its sums. */
static inline struct backward_terms
feature_terms_set(const struct feature_terms *t, size_t f, const struct norm_pass *p, double sum, double product)
{
	const double weight = p->by.weight != NULL ? p->by.weight[f] : 1;
	const struct backward_terms terms = backward_terms_of(weight, p->by.rstd[f], (double)p->count, sum, product);

	t->by_g[f] = terms.by_g;
	t->by_x[f] = terms.by_x;
	t->constant[f] = terms.constant;
	return terms;
}
