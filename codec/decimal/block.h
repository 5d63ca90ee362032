/* SPDX-License-Identifier: MIT */
/*
 * The digits of sixteen floats at once, in vectors of 64-bit lanes: the steps of write_f32.c side by side. Compiled
 * once for each set of instructions that has them; on other machines floats are written one by one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DECIMAL_BLOCK 16

/*
 * The arguments of decimal_layout_usual for each float. `usual` is 0 for a float that is zero, subnormal, a power of
 * two or not finite, or has another layout: then the rest means nothing.
 */
struct decimal_block {
	uint64_t values[DECIMAL_BLOCK];
	uint64_t last[DECIMAL_BLOCK];
	uint64_t missing[DECIMAL_BLOCK];
	uint64_t exponent[DECIMAL_BLOCK]; /* the lower 32 bits, as a signed number */
	uint64_t usual[DECIMAL_BLOCK];
};

struct decimal_block_set {
	const char *name;
	void (*digits)(const float *values, struct decimal_block *out);
};

/* The sets that this processor can run, the widest first; `at` counts from 0. NULL: after the last. */
const struct decimal_block_set *decimal_block_usable(size_t at);

/* Whether the compiler can use instructions in one file that the rest of the program must do without. */
#if defined(__x86_64__) && defined(__GNUC__)
#define DECIMAL_BLOCK_X86 1
#else
#define DECIMAL_BLOCK_X86 0
#endif

#if DECIMAL_BLOCK_X86
extern const struct decimal_block_set decimal_block_avx2;
extern const struct decimal_block_set decimal_block_avx512;
#endif

/* decimal_write_list_f32 by this set; NULL: one by one. */
char *decimal_block_write_f32(const struct decimal_block_set *set, const float *values, size_t n, char *out);
