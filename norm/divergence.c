/* SPDX-License-Identifier: MIT */
#include "norm/divergence.h"

#include <float.h>
#include <math.h>

/* (a - b) / unit, where a - b may be beyond doubles although the quotient is not. */
static double
quotient(double a, double b, double unit)
{
	return 2 * ((a / 2 - b / 2) / unit);
}

/* Differences of nearly equal numbers are exact, so small divergences are as precise as large ones. */
struct divergence_terms
divergence_terms_of(double mean_w, double var_w, double mean_t, double var_t)
{
	return (struct divergence_terms){ .shift_w = quotient(mean_w, mean_t, sqrt(var_w)),
		.shift_t = quotient(mean_w, mean_t, sqrt(var_t)),
		.excess_w = (var_w - var_t) / var_w,
		.excess_t = (var_w - var_t) / var_t };
}

double
divergence_of_terms(const struct divergence_terms *terms)
{
	const double shift_w = terms->shift_w, shift_t = terms->shift_t;
	const double sum = (terms->excess_w * terms->excess_t + (shift_w * shift_w + shift_t * shift_t)) / 2;

	return sum > DBL_MAX ? DBL_MAX : sum;
}

double
divergence_max(const struct moments *w, const struct moments *t, size_t features)
{
	double max = NAN;

	if (w->count == 0 || t->count == 0)
		return max;
	for (size_t f = 0; f < features; f++) {
		struct divergence_terms terms;
		double divergence;

		if (!(w->var[f] > 0 && t->var[f] > 0))
			continue;
		terms = divergence_terms_of(w->mean[f], w->var[f], t->mean[f], t->var[f]);
		divergence = divergence_of_terms(&terms);
		if (!(max >= divergence))
			max = divergence;
	}
	return max;
}
