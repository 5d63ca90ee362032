/* SPDX-License-Identifier: MIT */
/* The table of a set, from its tables for each type of element. Private to norm/. */
#ifndef NORM_KERNELS_SET_H
#define NORM_KERNELS_SET_H

#include "norm/kernels/column_sums.h"
#include "norm/kernels/kernels.h"

#define KERNELS_SET(set, set_name) \
	const struct kernels set = { \
		.name = set_name, \
		.fold = sums_fold, \
		.of = { \
			[NORM_FLOAT] = &set##_float, \
			[NORM_DOUBLE] = &set##_double, \
			[NORM_HALF] = &set##_half, \
			[NORM_BFLOAT] = &set##_bfloat, \
		}, \
	};

#endif
