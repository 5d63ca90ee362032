/* SPDX-License-Identifier: MIT */
/*
 * The 16-bit floats, all of them: every value is read exactly, and everything a double can be rounded to is tried on
 * both sides of where it becomes another. The reference is their definition; it shares nothing with base/float16.h and
 * norm/kernels/half.h.
 */
#include "norm/kernels/half.h"

#include <math.h>
#include <string.h>

#include "tests/unit/bits.h"
#include "tests/unit/norm_reference.h"
#include "tests/unit/unit.h"

static const enum norm_real types[] = { NORM_HALF, NORM_BFLOAT };

static double
load(enum norm_real real, unsigned bits)
{
	return real == NORM_HALF ? load_half((uint16_t)bits) : load_bfloat((uint16_t)bits);
}

static unsigned
store(enum norm_real real, double x)
{
	return real == NORM_HALF ? store_half(x) : store_bfloat(x);
}

static unsigned
infinity_bits(enum norm_real real)
{
	return real == NORM_HALF ? 0x7c00 : 0x7f80;
}

/* Check's own macros write to a pipe each time; there are millions of these. */
static void
check_store(enum norm_real real, double x, unsigned expected)
{
	if (store(real, x) != expected || store(real, -x) != (expected | 0x8000))
		ck_abort_msg("+-%a gives 0x%04x and 0x%04x, not 0x%04x", x, store(real, x), store(real, -x), expected);
}

START_TEST(every_value_is_read)
{
	unsigned bits;
	double expected, x;

	for (bits = 0; bits <= 0xffff; bits++) {
		expected = reference_value16(types[_i], bits);
		x = load(types[_i], bits);
		if (isnan(expected))
			ck_assert_msg(isnan(x), "0x%04x gives %a, not NaN", bits, x);
		else
			ck_assert_msg(
			    double_bits(x) == double_bits(expected), "0x%04x gives %a, not %a", bits, x, expected);
	}
}
END_TEST

START_TEST(every_value_comes_back)
{
	unsigned bits;

	for (bits = 0; bits <= infinity_bits(types[_i]); bits++)
		check_store(types[_i], reference_value16(types[_i], bits), bits);
}
END_TEST

/*
 * Around each value and each middle of two neighbours; "after" the largest stands the power of two that infinity begins
 * at.
 */
START_TEST(rounded_once_ties_to_even)
{
	const unsigned infinity = infinity_bits(types[_i]);
	double here, after, middle;
	unsigned bits;

	for (bits = 0; bits < infinity; bits++) {
		here = reference_value16(types[_i], bits);
		after = bits + 1 < infinity ? reference_value16(types[_i], bits + 1) :
					      ldexp(1, format16_of(types[_i]).limit);
		middle = here + (after - here) / 2;
		check_store(types[_i], middle, bits + bits % 2);
		check_store(types[_i], nextafter(middle, 0), bits);
		check_store(types[_i], nextafter(middle, INFINITY), bits + 1);
		check_store(types[_i], nextafter(here, INFINITY), bits);
		check_store(types[_i], nextafter(after, 0), bits + 1);
	}
}
END_TEST

START_TEST(beyond_the_largest)
{
	const double larger[] = { 0x1p128, 0x1.8p128, 0x1.8p1000, DBL_MAX, INFINITY };
	size_t i;

	check_store(NORM_HALF, 65504, 0x7bff);
	check_store(NORM_HALF, nextafter(65520, 0), 0x7bff);
	check_store(NORM_HALF, 65520, 0x7c00);
	check_store(NORM_HALF, 65536, 0x7c00);
	check_store(NORM_HALF, 98304, 0x7c00);
	check_store(NORM_BFLOAT, 0x1.fep127, 0x7f7f);
	check_store(NORM_BFLOAT, nextafter(0x1.ffp127, 0), 0x7f7f);
	check_store(NORM_BFLOAT, 0x1.ffp127, 0x7f80);
	for (i = 0; i < sizeof(larger) / sizeof(larger[0]); i++) {
		check_store(NORM_HALF, larger[i], 0x7c00);
		check_store(NORM_BFLOAT, larger[i], 0x7f80);
	}
}
END_TEST

/* By way of a float they would all be ties first, and then go to the even side. */
START_TEST(not_rounded_by_way_of_float)
{
	check_store(NORM_HALF, 1 + 0x1p-11 + 0x1p-40, 0x3c01);
	check_store(NORM_HALF, 1 + 0x1.8p-10 - 0x1p-40, 0x3c01);
	check_store(NORM_HALF, 0x1p-25 + 0x1p-60, 0x0001);
	check_store(NORM_HALF, 65520 - 0x1p-20, 0x7bff);
	check_store(NORM_BFLOAT, 1 + 0x1p-8 + 0x1p-40, 0x3f81);
	check_store(NORM_BFLOAT, 1 + 0x1.8p-7 - 0x1p-40, 0x3f81);
	check_store(NORM_BFLOAT, 0x1p-134 + 0x1p-160, 0x0001);
}
END_TEST

START_TEST(smallest)
{
	check_store(NORM_HALF, 0, 0);
	check_store(NORM_HALF, 0x1p-25, 0);
	check_store(NORM_HALF, 0x1.8p-24, 0x0002);
	check_store(NORM_HALF, nextafter(0x1p-14, 0), 0x0400);
	check_store(NORM_BFLOAT, 0x1p-134, 0);
	check_store(NORM_BFLOAT, 0x1.8p-133, 0x0002);
	check_store(types[_i], DBL_TRUE_MIN, 0);
	check_store(types[_i], DBL_MIN, 0);
}
END_TEST

/* Its payload does not matter, not even where all that would be left of it is 0; nor does its sign. */
START_TEST(nan_stays_one)
{
	static const uint64_t nans[] = { 0x7ff8000000000000u, 0x7ff0000000000001u, 0x7fffffffffffffffu,
		0xfff8000000000000u, 0xfff0000000000001u };
	const unsigned infinity = infinity_bits(types[_i]);
	size_t i;

	for (i = 0; i < sizeof(nans) / sizeof(nans[0]); i++)
		ck_assert_uint_gt(store(types[_i], double_of(nans[i])) & 0x7fff, infinity);
}
END_TEST

/* Any double: all bits at random, and with an exponent in or near the type's. */
START_TEST(random_doubles)
{
	const struct format16 f = format16_of(types[_i]);
	uint64_t seed = 16;
	double x;
	int i, e;

	for (i = 0; i < 300000; i++) {
		x = double_of(random_next(&seed) & ~((uint64_t)1 << 63));
		if (!isnan(x))
			check_store(types[_i], x, reference_bits16(types[_i], x));
		e = f.smallest - f.fraction - 4 +
		    (int)(random_next(&seed) % (unsigned)(f.limit - f.smallest + f.fraction + 8));
		x = ldexp(1 + random_unit(&seed), e);
		check_store(types[_i], x, reference_bits16(types[_i], x));
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("half");
	TCase *t = tcase_create("half");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, every_value_is_read, 0, 2);
	tcase_add_loop_test(t, every_value_comes_back, 0, 2);
	tcase_add_loop_test(t, rounded_once_ties_to_even, 0, 2);
	tcase_add_test(t, beyond_the_largest);
	tcase_add_test(t, not_rounded_by_way_of_float);
	tcase_add_loop_test(t, smallest, 0, 2);
	tcase_add_loop_test(t, nan_stays_one, 0, 2);
	tcase_add_loop_test(t, random_doubles, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
