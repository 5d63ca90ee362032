/* SPDX-License-Identifier: MIT */
#include "norm/kernels/kernels.h"

#define FOUR_OF(x) x, x, x, x

const double kernels_ones[COLUMNS_MAX] = { FOUR_OF(FOUR_OF(FOUR_OF(FOUR_OF(1)))) };
const double kernels_zeros[COLUMNS_MAX];

_Static_assert(COLUMNS_MAX == 256, "kernels_ones holds ones only");

/* Whether the processor can run the set, and the operating system saves its registers. */
static bool
usable(const struct kernels *k)
{
#if KERNELS_X86
	if (k == &kernels_avx2)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
	if (k == &kernels_avx512)
		return __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx512f") &&
		    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
		    __builtin_cpu_supports("avx512vl");
#endif
	return k == &kernels_portable;
}

/* From the portable set to the widest. */
static const struct kernels *const sets[] = {
	&kernels_portable,
#if KERNELS_X86
	&kernels_avx2,
	&kernels_avx512,
#endif
};

#define SETS (sizeof(sets) / sizeof(sets[0]))

const struct kernels *
kernels_usable(size_t at)
{
	size_t i;

	for (i = 0; i < SETS; i++)
		if (usable(sets[i]) && at-- == 0)
			return sets[i];
	return NULL;
}

const struct kernels *
kernels_best(void)
{
	size_t i;

	for (i = SETS - 1; i > 0; i--)
		if (usable(sets[i]))
			break;
	return sets[i];
}
