/* SPDX-License-Identifier: MIT */
/*
 * Many floats at once are the same text as one by one: by every set of instructions that this machine has, and by none.
 */
#include "tests/unit/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/decimal.h"
#include "codec/decimal/block.h"
#include "tests/unit/bits.h"

#define MANY 4096

static char *
one_by_one(const float *values, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		out += decimal_write_f32(values[i], out);
		*out++ = ',';
	}
	return out;
}

/* In a block of just the room that is asked for. */
static void
assert_same(const struct decimal_block_set *set, const float *values, size_t n)
{
	const size_t room = n * (DECIMAL_F32_BYTES + 1);
	char *want = malloc(room + 1), *got = malloc(room + 1);
	size_t want_len = (size_t)(one_by_one(values, n, want) - want);
	size_t got_len = (size_t)(decimal_block_write_f32(set, values, n, got) - got);

	want[want_len] = got[got_len] = '\0';
	if (want_len != got_len || memcmp(want, got, want_len) != 0)
		ck_abort_msg("%s, %zu floats:\n%.200s\n%.200s", set != NULL ? set->name : "none", n, got, want);
	free(want);
	free(got);
}

static void
assert_same_by_all(const float *values, size_t n)
{
	const struct decimal_block_set *set;
	size_t at = 0;

	do {
		set = decimal_block_usable(at++);
		assert_same(set, values, n);
	} while (set != NULL);
}

/* Every exponent, with fractions at its ends and between; both signs. */
START_TEST(every_exponent)
{
	static const uint32_t fractions[] = { 0, 1, 2, 3, 0x3fffff, 0x400000, 0x400001, 0x555555, 0x2aaaaa, 0x7ffffe,
		0x7fffff };
	float values[2 * sizeof(fractions) / sizeof(fractions[0])];
	size_t n;

	for (uint32_t field = 0; field < 255; field++) {
		n = 0;
		for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++)
			for (uint32_t sign = 0; sign < 2; sign++)
				values[n++] = float_of(sign << 31 | field << 23 | fractions[i]);
		assert_same_by_all(values, n);
	}
}
END_TEST

/* Every length of list, and every place of it that is not the usual. */
START_TEST(lengths)
{
	static const float unusual[] = { 0, -0.0f, 1, -2, 1e-30f, 1e30f, 3e-45f, 16777216, 1234567, 65504 };
	float values[64] = { 0 };

	for (size_t n = 0; n <= 50; n++) {
		for (size_t i = 0; i < n; i++)
			values[i] = (float)i * 0.37f - 3;
		assert_same_by_all(values, n);
		for (size_t i = 0; i < n; i++) {
			float usual = values[i];

			values[i] = unusual[(i + n) % (sizeof(unusual) / sizeof(unusual[0]))];
			assert_same_by_all(values, n);
			values[i] = usual;
		}
	}
}
END_TEST

/* Millions: any bits, numbers near 1, whole numbers, numbers with few digits. */
START_TEST(random_values)
{
	float *values = malloc(MANY * sizeof(*values));
	uint64_t state = (uint64_t)_i + 5;
	uint32_t bits;

	for (int round = 0; round < 64; round++) {
		for (size_t i = 0; i < MANY; i++) {
			bits = (uint32_t)random_bits(&state);
			values[i] = _i == 0 ? float_of((bits & 0x7f800000) == 0x7f800000 ? bits ^ 0x40000000 : bits) :
			    _i == 1         ? (float)((double)(int32_t)bits / 2147483648.0 * 4) :
			    _i == 2         ? (float)(bits % 20000) - 10000 :
					      (float)(bits % 200000) / (float[]){ 1, 10, 100, 1000, 10000 }[bits % 5];
		}
		assert_same_by_all(values, MANY);
	}
	free(values);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("decimal_block");
	TCase *all = tcase_create("as one by one");

	tcase_set_timeout(all, 300);
	tcase_add_test(all, every_exponent);
	tcase_add_test(all, lengths);
	tcase_add_loop_test(all, random_values, 0, 4);
	suite_add_tcase(suite, all);
	return suite;
}
