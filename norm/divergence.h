/* SPDX-License-Identifier: MIT */
/*
 * How far two normal distributions are apart: the symmetric Kullback-Leibler divergence (docs/MATH.md, equation 34).
 * layer/distance.h has the other scores.
 */
#pragma once

#include "norm/update.h"

/* What the scores of two distributions w and t, whose variances are above 0, are made of. */
struct divergence_terms {
	double shift_w, shift_t;   /* (mean_w - mean_t) / sigma_w, and / sigma_t */
	double excess_w, excess_t; /* (var_w - var_t) / var_w, and / var_t */
};

struct divergence_terms divergence_terms_of(double mean_w, double var_w, double mean_t, double var_t);

/* The divergence, in nats. One beyond doubles is the largest double. */
double divergence_of_terms(const struct divergence_terms *terms);

/*
 * The greatest divergence of the moments `w` from `t` over `features` features. A feature with a variance of 0 has none
 * and does not count. NAN if no feature has one, or if a count is 0.
 */
double divergence_max(const struct moments *w, const struct moments *t, size_t features);
