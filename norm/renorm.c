/* SPDX-License-Identifier: MIT */
#include "norm/renorm.h"

#include <math.h>

static double
limit(double x, double least, double most)
{
	return x < least ? least : x > most ? most : x;
}

void
renorm_correct(const struct renorm *n, const struct moments *batch, const double *weight, const double *bias,
    double *new_weight, double *new_bias)
{
	for (size_t f = 0; f < n->features; f++) {
		const double running_deviation = sqrt((n->var != NULL ? n->var[f] : 1) + n->eps);
		const double shift = batch->mean[f] - (n->mean != NULL ? n->mean[f] : 0);
		const double r = limit(sqrt(batch->var[f] + n->eps) / running_deviation, 1 / n->r_max, n->r_max);
		const double d = limit(shift / running_deviation, -n->d_max, n->d_max);
		const double w = weight != NULL ? weight[f] : 1;

		new_weight[f] = r * w;
		new_bias[f] = d * w + (bias != NULL ? bias[f] : 0);
	}
}
