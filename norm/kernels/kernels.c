/* SPDX-License-Identifier: MIT */
#include "norm/kernels/kernels.h"

#define FOUR_OF(x) x, x, x, x

const double kernels_ones[COLUMNS_MAX] = { FOUR_OF(FOUR_OF(FOUR_OF(FOUR_OF(1)))) };
const double kernels_zeros[COLUMNS_MAX];

_Static_assert(COLUMNS_MAX == 256, "kernels_ones holds ones only");

#define SET(set) \
	{ \
		.name = #set, \
		.of = { \
			[NORM_FLOAT] = &kernels_##set##_float, \
			[NORM_DOUBLE] = &kernels_##set##_double, \
			[NORM_HALF] = &kernels_##set##_half, \
			[NORM_BFLOAT] = &kernels_##set##_bfloat, \
		}, \
		.merge = kernels_##set##_merge, \
		.rstd = kernels_##set##_rstd, \
	}

/* From the portable set to the widest. */
static const struct kernels sets[] = {
	SET(portable),
#if KERNELS_X86
	SET(avx2),
	SET(avx512),
#endif
};

#define SETS (sizeof(sets) / sizeof(sets[0]))

/* Whether the processor can run set `i`, and the operating system saves its registers. */
static bool
usable(size_t i)
{
#if KERNELS_X86
	if (i == 1)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
	if (i == 2)
		return __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx512f") &&
		    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
		    __builtin_cpu_supports("avx512vl");
#endif
	return i == 0;
}

const struct kernels *
kernels_usable(size_t at)
{
	for (size_t i = 0; i < SETS; i++)
		if (usable(i) && at-- == 0)
			return &sets[i];
	return NULL;
}

const struct kernels *
kernels_best(void)
{
	size_t i = SETS - 1;

	while (!usable(i))
		i--;
	return &sets[i];
}
