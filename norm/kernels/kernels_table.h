/* SPDX-License-Identifier: MIT */
/* A set as one table, from the files for each type of element. Private to norm/. */
#ifndef NORM_KERNELS_KERNELS_TABLE_H
#define NORM_KERNELS_KERNELS_TABLE_H

#include "norm/kernels/kernels.h"
#include "norm/kernels/moments_shared.h"

#define KERNELS_TABLE(set, set_name) \
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
