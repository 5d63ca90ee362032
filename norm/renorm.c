/* SPDX-License-Identifier: MIT */
#include "norm/renorm.h"

#include <math.h>

static double
limit(double x, double least, double most)
{
	return x < least ? least : x > most ? most : x;
}

void
renorm_correct(const struct renorm_limits *limits, size_t features, const double *mean, const double *var,
    const double *running_mean, const double *running_var, const double *weight, const double *bias, double *new_weight,
    double *new_bias)
{
	for (size_t f = 0; f < features; f++) {
		const double running_deviation = sqrt((running_var != NULL ? running_var[f] : 1) + limits->eps);
		const double shift = mean[f] - (running_mean != NULL ? running_mean[f] : 0);
		const double r =
		    limit(sqrt(var[f] + limits->eps) / running_deviation, 1 / limits->r_max, limits->r_max);
		const double d = limit(shift / running_deviation, -limits->d_max, limits->d_max);
		const double w = weight != NULL ? weight[f] : 1;

		new_weight[f] = r * w;
		new_bias[f] = d * w + (bias != NULL ? bias[f] : 0);
	}
}
