/* SPDX-License-Identifier: MIT */
/*
 * The least, the median and the greatest of a list. The list stays as it is, nothing is allocated, and the time grows
 * with its length alone, whatever its values are.
 */
#pragma once

#include <stddef.h>

struct spread {
	double min, median, max;
};

/*
 * Of `count` values, at least one, none of which is NaN. The median of an even number of values is the mean of the
 * middle two, rounded once; it does not overflow.
 */
struct spread spread_measure(const double *values, size_t count);

/* The median alone. */
double spread_median(const double *values, size_t count);
