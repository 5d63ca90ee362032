/* SPDX-License-Identifier: MIT */
/*
 * float16 and its text. There are so few of them that all are tried, against whole-number arithmetic: every float16,
 * and every midpoint between two, is a multiple of 2^-25, and no shortest text has a digit further than 12 places
 * behind the point. So all is counted in units of 2^-25·10^-12.
 */
#include "tests/unit/unit.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/decimal.h"

#define INFINITE 0x7c00 /* the bits of infinity: one more than the largest float16's */
#define PLACES 12

typedef __int128 units;

static units
power_of_ten(int n)
{
	units p = 1;

	while (n-- > 0)
		p *= 10;
	return p;
}

/* A float16 by its bits without the sign, in 2^-25; it is even, so that the midpoints are whole too. */
static int64_t
value_of(uint32_t bits)
{
	uint32_t field = bits >> 10, c = (bits & 0x3ff) | (field > 0 ? 0x400 : 0);

	return (int64_t)c << (field > 0 ? field - 1 : 0) << 1;
}

static int64_t
midpoint_above(uint32_t bits)
{
	return (value_of(bits) + value_of(bits + 1)) / 2;
}

/* digits·10^exponent, digits without zeros at the end. */
struct shortest {
	int64_t digits;
	int exponent;
};

/*
 * By trying: the multiples of the largest power of ten of which one reads back as `bits` (not 0), and of two the
 * closest.
 */
static struct shortest
find_shortest(uint32_t bits)
{
	const units scale = power_of_ten(PLACES), value = value_of(bits) * scale;
	const units from = midpoint_above(bits - 1) * scale, to = midpoint_above(bits) * scale;
	const bool closed = (bits & 1) == 0;

	for (int exponent = 5; exponent >= -PLACES; exponent--) {
		units unit = power_of_ten(exponent + PLACES) << 25, below = value / unit, rest = value % unit;
		bool down = below * unit > from || (closed && below * unit == from);
		bool up = (below + 1) * unit < to || (closed && (below + 1) * unit == to);
		bool closer_up = 2 * rest > unit || (2 * rest == unit && below % 2 == 1);

		if (down || up)
			return (struct shortest){ (int64_t)below + (up && (closer_up || !down)), exponent };
	}
	ck_abort_msg("no text for %#x", bits);
}

/* What a text without a sign says, as above. */
static struct shortest
parse(const char *text)
{
	struct shortest s = { 0, 0 };
	const char *p = text;
	bool behind = false;

	for (; *p != '\0' && *p != 'e'; p++) {
		if (*p == '.') {
			behind = true;
			continue;
		}
		s.digits = s.digits * 10 + (*p - '0');
		s.exponent -= behind;
	}
	if (*p == 'e')
		s.exponent += atoi(p + 1);
	for (; s.digits != 0 && s.digits % 10 == 0; s.exponent++)
		s.digits /= 10;
	return s;
}

/*
 * Reads text[0..len) with a comma after it. Check writes to a file at every assertion, so only what is wrong comes to
 * one.
 */
static enum decimal_result
read_text(const char *text, size_t len, uint16_t *bits)
{
	static char block[2048];
	const char *end = NULL;
	enum decimal_result r;

	if (len >= sizeof(block))
		ck_abort_msg("a text of %zu bytes", len);
	memcpy(block, text, len);
	block[len] = ',';
	r = decimal_read(block, block + len + 1, &end, DECIMAL_F16, bits);
	if (end != block + len)
		ck_abort_msg("%.60s: does not end where it ends", text);
	return r;
}

static void
check_reads(const char *text, uint32_t want)
{
	uint16_t bits = 0xffff;
	enum decimal_result r = read_text(text, strlen(text), &bits);

	if (r != (want == INFINITE ? DECIMAL_OVERFLOW : DECIMAL_OK))
		ck_abort_msg("%.60s: %d", text, (int)r);
	if (want != INFINITE && bits != want)
		ck_abort_msg("%.60s: %#x is not %#x", text, (unsigned)bits, (unsigned)want);
}

START_TEST(every_float16_is_written_shortest_and_survives)
{
	char text[DECIMAL_F16_BYTES + 1];

	for (uint32_t bits = 1; bits < INFINITE; bits++) {
		struct shortest want = find_shortest(bits), got;
		size_t len = decimal_write_f16((uint16_t)bits, text);

		ck_assert_uint_lt(len, sizeof(text));
		text[len] = '\0';
		got = parse(text);
		while (want.digits % 10 == 0) {
			want.digits /= 10;
			want.exponent++;
		}
		ck_assert_msg(got.digits == want.digits && got.exponent == want.exponent, "%#x is %s, not %llde%d",
		    bits, text, (long long)want.digits, want.exponent);
		check_reads(text, bits);
	}
}
END_TEST

START_TEST(every_negative_float16_is_the_positive_one_with_a_sign)
{
	char text[DECIMAL_F16_BYTES + 1], negative[DECIMAL_F16_BYTES + 1];

	for (uint32_t bits = 0; bits < INFINITE; bits++) {
		size_t len = decimal_write_f16((uint16_t)bits, text);

		ck_assert_uint_eq(decimal_write_f16((uint16_t)(bits | 0x8000), negative), len + 1);
		ck_assert_int_eq(negative[0], '-');
		ck_assert_mem_eq(negative + 1, text, len);
		negative[len + 1] = '\0';
		check_reads(negative, bits | 0x8000);
	}
}
END_TEST

START_TEST(layout_is_that_of_the_other_types)
{
	static const struct {
		uint16_t bits;
		const char *text;
	} cases[] = { { 0x0000, "0" }, { 0x8000, "-0" }, { 0x3c00, "1" }, { 0xc000, "-2" }, { 0x7bff, "65500" },
		{ 0x3555, "0.3333" }, { 0x0001, "6e-8" }, { 0x8001, "-6e-8" }, { 0x03ff, "0.000061" },
		{ 0x0400, "0.00006104" }, { 0x2e66, "0.1" }, { 0x5640, "100" }, { 0x00a8, "0.00001" },
		{ 0x00a7, "9.95e-6" } };
	char text[DECIMAL_F16_BYTES + 1];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text[decimal_write_f16(cases[i].bits, text)] = '\0';
		ck_assert_str_eq(text, cases[i].text);
	}
}
END_TEST

/* The midpoint above every float16: itself, and a digit far behind that decides, above it and below. */
START_TEST(every_midpoint)
{
	static char text[1024];

	for (uint32_t bits = 0; bits < INFINITE; bits++) {
		/* Exact: a multiple of 2^-25 has no more than 25 decimals. */
		int len = snprintf(text, sizeof(text), "%.25f", (double)midpoint_above(bits) * 0x1p-25);
		int last;

		check_reads(text, bits + (bits & 1));
		memset(text + len, '0', 800);
		memcpy(text + len + 800, "1", 2);
		check_reads(text, bits + 1);
		for (last = len - 1; text[last] == '0' || text[last] == '.'; last--)
			text[last] = text[last] == '.' ? '.' : '9';
		text[last]--;
		memset(text + len, '9', 800);
		text[len + 800] = '\0';
		check_reads(text, bits);
	}
}
END_TEST

/* The same midpoint in all forms that have a mantissa of few enough digits: a fraction, an exponent, a whole number. */
START_TEST(midpoints_by_exponent)
{
	static const struct {
		const char *text;
		uint32_t want;
	} cases[] = { { "298023223876953125e-25", 0x0000 }, { "2980232238769531250e-26", 0x0000 },
		{ "298023223876953126e-25", 0x0001 }, { "894069671630859375e-25", 0x0002 },
		{ "8940696716308593750e-26", 0x0002 }, { "14901161193847656250e-26", 0x0002 },
		{ "17881393432617187500e-26", 0x0003 }, { "1490116119384765625e-25", 0x0002 }, { "2049", 0x6800 },
		{ "2051", 0x6802 }, { "0.2051e4", 0x6802 }, { "205100e-2", 0x6802 },
		{ "2049000000000000000e-15", 0x6800 }, { "20510000000000000000e-16", 0x6802 }, { "65520", INFINITE },
		{ "6.552e4", INFINITE }, { "65519.99", 0x7bff } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_reads(cases[i].text, cases[i].want);
}
END_TEST

/*
 * Usual numbers, with every count of digits on both sides of the point: each lies between the midpoints about what was
 * read.
 */
START_TEST(usual_numbers_are_read_right)
{
	char text[64];
	uint16_t bits;

	for (int64_t n = 0; n < 65520000; n += 1 + n / 4099) {
		units value = (units)n * power_of_ten(PLACES - 3) << 25;
		int len = snprintf(text, sizeof(text), "%lld.%03lld", (long long)(n / 1000), (long long)(n % 1000));
		units above, below, open;

		ck_assert_int_eq(read_text(text, (size_t)len, &bits), DECIMAL_OK);
		open = bits % 2; /* a midpoint itself belongs to the even one */
		above = midpoint_above(bits) * power_of_ten(PLACES) - open;
		below = bits == 0 ? 0 : midpoint_above(bits - 1u) * power_of_ten(PLACES) + open;
		ck_assert_msg(below <= value && value <= above, "%s: %#x", text, (unsigned)bits);
	}
}
END_TEST

START_TEST(beyond_its_range)
{
	static const char *const zeros[] = { "0", "0.0", "0e5", "2.9802322387695312e-8", "1e-8", "1e-27",
		"99999999999999999e-27", "1e-5000", "0.000000000000000000000000000001", "0e99999999999999999999" };
	static const char *const infinities[] = { "65520.0", "65536", "1e5", "1e39", "1e5000",
		"123456789012345678901234567890", "65520.000000000000000000000000000000000001",
		"1e99999999999999999999" };
	char text[64];

	for (size_t i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++) {
		check_reads(zeros[i], 0);
		snprintf(text, sizeof(text), "-%s", zeros[i]);
		check_reads(text, 0x8000);
	}
	for (size_t i = 0; i < sizeof(infinities) / sizeof(infinities[0]); i++)
		check_reads(infinities[i], INFINITE);
}
END_TEST

START_TEST(a_float16_that_touches_the_limit_may_go_on)
{
	static const char text[] = "-1234.56789012345678e-2", stray[] = "1x,", leading[] = "01,";
	const char *end;
	uint16_t bits;

	for (size_t cut = 0; cut < sizeof(text); cut++)
		ck_assert_int_eq(decimal_read(text, text + cut, &end, DECIMAL_F16, &bits), DECIMAL_INCOMPLETE);
	ck_assert_int_eq(decimal_read(stray, stray + 3, &end, DECIMAL_F16, &bits), DECIMAL_OK);
	ck_assert_int_eq(decimal_read(leading, leading + 3, &end, DECIMAL_F16, &bits), DECIMAL_INVALID);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("decimal_f16");
	TCase *t = tcase_create("decimal_f16");

	tcase_set_timeout(t, 300);
	tcase_add_test(t, every_float16_is_written_shortest_and_survives);
	tcase_add_test(t, every_negative_float16_is_the_positive_one_with_a_sign);
	tcase_add_test(t, layout_is_that_of_the_other_types);
	tcase_add_test(t, every_midpoint);
	tcase_add_test(t, midpoints_by_exponent);
	tcase_add_test(t, usual_numbers_are_read_right);
	tcase_add_test(t, beyond_its_range);
	tcase_add_test(t, a_float16_that_touches_the_limit_may_go_on);
	suite_add_tcase(s, t);
	return s;
}
