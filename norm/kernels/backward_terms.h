/* SPDX-License-Identifier: MIT */
/*
 * The gradient by x is linear in that by y and in x itself, with the same three numbers for all values that share their
 * moments (docs/MATH.md, equation 21). Private to norm/.
 */
#ifndef NORM_KERNELS_BACKWARD_TERMS_H
#define NORM_KERNELS_BACKWARD_TERMS_H

#include <stddef.h>

/* dx = by_g g + by_x (x - mean) + constant. */
struct backward_terms {
	double by_g;
	double by_x;
	double constant;
};

/*
 * For `n` values that share mean and rstd: `sum` is the sum of h, `product` that of h (x - mean), where h is g times
 * its weight as far as the weights differ among them; `weight` is what they share of it. 0 for `n`: mean and rstd do
 * not depend on them.
 */
static inline struct backward_terms
backward_terms_of(double weight, double rstd, double n, double sum, double product)
{
	const double scale = weight * rstd;

	if (n == 0) /* constants: no gradient flows through the moments */
		return (struct backward_terms){ .by_g = scale };
	return (struct backward_terms){
		.by_g = scale,
		.by_x = -(scale * (product * rstd) * rstd) / n,
		.constant = -(scale * sum) / n,
	};
}

/* What a row's moments and terms come from: the sums of x, x^2, h and h x. */
struct row_sums {
	double d, squares, sum, product;
};

/* The same of many features, an array each. */
struct coefficients {
	double *by_g, *by_x, *constant;
};

static inline struct backward_terms
coefficients_get(const struct coefficients *c, size_t f)
{
	return (struct backward_terms){ c->by_g[f], c->by_x[f], c->constant[f] };
}

/* Sets those of feature f, from its own number in each of the arrays; `weight` NULL: ones. */
static inline struct backward_terms
coefficients_set(const struct coefficients *c, size_t f, const double *weight, const double *rstd, double n,
    const double *sum, const double *product)
{
	const struct backward_terms t =
	    backward_terms_of(weight != NULL ? weight[f] : 1, rstd[f], n, sum[f], product[f]);

	c->by_g[f] = t.by_g;
	c->by_x[f] = t.by_x;
	c->constant[f] = t.constant;
	return t;
}

#endif
