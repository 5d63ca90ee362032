/* SPDX-License-Identifier: MIT */
#include "codec/decimal/block.h"

#include <string.h>

#include "codec/decimal.h"
#include "codec/decimal/write.h"

/* Fills up the last block of a list; fewer than this many floats are written one by one. */
#define FILLER 1.5f
#define WORTH_A_BLOCK 6

#if DECIMAL_BLOCK_X86
static const struct decimal_block_set *const sets[] = { &decimal_block_avx512, &decimal_block_avx2 };

/* Whether the processor can run the set, and the operating system saves the wider registers. */
static int
usable(const struct decimal_block_set *set)
{
	if (set == &decimal_block_avx512)
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
		    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
	return __builtin_cpu_supports("avx2");
}

const struct decimal_block_set *
decimal_block_usable(size_t at)
{
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		if (usable(sets[i]) && at-- == 0)
			return sets[i];
	return NULL;
}
#else
const struct decimal_block_set *
decimal_block_usable(size_t at)
{
	(void)at;
	return NULL;
}
#endif

/* Float `i` of the block. */
static inline char *
write_one(const struct decimal_block *b, size_t i, float value, char *out)
{
	uint32_t bits;

	if (b->usual[i] == 0) {
		out += decimal_write_f32(value, out);
	} else {
		memcpy(&bits, &value, sizeof(bits));
		*out = '-';
		out += bits >> 31;
		out += decimal_layout_usual(
		    b->values[i], b->last[i], (int32_t)b->exponent[i], (int64_t)b->missing[i], out);
	}
	*out = ',';
	return out + 1;
}

char *
decimal_block_write_f32(const struct decimal_block_set *set, const float *values, size_t n, char *out)
{
	struct decimal_block b;
	float rest[DECIMAL_BLOCK];

	for (; set != NULL && n >= DECIMAL_BLOCK; n -= DECIMAL_BLOCK, values += DECIMAL_BLOCK) {
		set->digits(values, &b);
		for (size_t i = 0; i < DECIMAL_BLOCK; i++)
			out = write_one(&b, i, values[i], out);
	}
	if (set != NULL && n >= WORTH_A_BLOCK) {
		for (size_t i = 0; i < DECIMAL_BLOCK; i++)
			rest[i] = i < n ? values[i] : FILLER;
		set->digits(rest, &b);
		for (size_t i = 0; i < n; i++)
			out = write_one(&b, i, values[i], out);
		return out;
	}
	for (size_t i = 0; i < n; i++) {
		out += decimal_write_f32(values[i], out);
		*out++ = ',';
	}
	return out;
}

char *
decimal_write_list_f32(const float *values, size_t n, char *out)
{
	return decimal_block_write_f32(decimal_block_usable(0), values, n, out);
}
