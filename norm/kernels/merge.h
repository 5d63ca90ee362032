/* SPDX-License-Identifier: MIT */
/* How two sets of values, of `a` seen before and `b` new ones, are merged (docs/MATH.md, equation 7). */
#pragma once

#include <stdbool.h>

struct merge {
	bool a_is_less;
	double share_a, share_b;   /* a / (a + b), b / (a + b) */
	double weight_a, weight_b; /* of the variances, and weight_b of what the means differ by */
};
