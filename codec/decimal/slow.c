/* SPDX-License-Identifier: MIT */
/*
 * The exact comparison of a text with a midpoint, by whole numbers of as many bits as needed. A midpoint between
 * doubles has at most 767 significant digits, so 800 digits and whether anything but zeros follows decide as all digits
 * would, and the memory is bounded.
 */
#include <assert.h>
#include <stddef.h>

#include "codec/decimal/text.h"

#define DIGITS_MAX 800

/*
 * Both sides are about equal, so both have the length of the one that is not shifted. With a negative power of ten that
 * is at most 801 digits (2661 bits) on one side, or 5^1125 and a significand of 54 bits (2667) on the other; with a
 * positive one at most the bits of 2^1025. Multiplying and shifting briefly take up to one limb more.
 */
#define LIMBS_MAX 48

/* A whole number: limb[0] is the lowest, limb[count - 1] is not 0. */
struct whole {
	size_t count;
	uint64_t limb[LIMBS_MAX];
};

/* n = n·factor + more */
static void
whole_multiply_add(struct whole *n, uint64_t factor, uint64_t more)
{
	unsigned __int128 sum = more;

	for (size_t i = 0; i < n->count; i++) {
		sum += (unsigned __int128)n->limb[i] * factor;
		n->limb[i] = (uint64_t)sum;
		sum >>= 64;
	}
	if (sum == 0)
		return;
	assert(n->count < LIMBS_MAX);
	n->limb[n->count++] = (uint64_t)sum;
}

/* n = n·5^power */
static void
whole_multiply_fives(struct whole *n, int power)
{
	for (; power >= 27; power -= 27)
		whole_multiply_add(n, UINT64_C(7450580596923828125), 0);
	for (; power > 0; power--)
		whole_multiply_add(n, 5, 0);
}

/* n = n·2^power */
static void
whole_shift(struct whole *n, int power)
{
	size_t limbs = (size_t)power / 64;

	whole_multiply_add(n, UINT64_C(1) << power % 64, 0);
	assert(n->count + limbs <= LIMBS_MAX);
	for (size_t i = n->count; i-- > 0;)
		n->limb[i + limbs] = n->limb[i];
	for (size_t i = 0; i < limbs; i++)
		n->limb[i] = 0;
	n->count += limbs;
}

static int
whole_compare(const struct whole *a, const struct whole *b)
{
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	for (size_t i = a->count; i-- > 0;) {
		if (a->limb[i] != b->limb[i])
			return a->limb[i] < b->limb[i] ? -1 : 1;
	}
	return 0;
}

static bool
only_zeros(const char *p, const char *end)
{
	while (p < end && (*p == '0' || *p == '.'))
		p++;
	return p == end;
}

/* The text's digits as a whole number; returns the power of ten that it must be multiplied by. */
static int
whole_from_text(struct whole *n, const struct decimal_text *t)
{
	const char *p = t->digits;
	int count = 0;

	n->count = 0;
	while (*p == '0' || *p == '.')
		p++;
	for (; p < t->digits_end && count < DIGITS_MAX; p++) {
		if (*p == '.')
			continue;
		whole_multiply_add(n, 10, (uint64_t)(*p - '0'));
		count++;
	}
	/* Of the digits that follow it only matters whether one is not 0. */
	if (!only_zeros(p, t->digits_end)) {
		whole_multiply_add(n, 10, 1);
		count++;
	}
	return (int)t->exponent + DECIMAL_MANTISSA_DIGITS - count;
}

int
decimal_compare(const struct decimal_text *text, uint64_t half, int exponent)
{
	struct whole left, right = { .count = 1, .limb = { half } };
	int ten = whole_from_text(&left, text);

	if (ten >= 0)
		whole_multiply_fives(&left, ten);
	else
		whole_multiply_fives(&right, -ten);
	if (ten >= exponent)
		whole_shift(&left, ten - exponent);
	else
		whole_shift(&right, exponent - ten);
	return whole_compare(&left, &right);
}
