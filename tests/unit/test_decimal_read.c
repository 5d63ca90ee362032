/* SPDX-License-Identifier: MIT */
/* Reading numbers, against the C library's exact conversions. */
#include "tests/unit/unit.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/decimal.h"
#include "tests/unit/bits.h"

static uint64_t random_state = 20260124;

/*
 * Reads `text`, a comma after it, out of a block of exactly its size: both types must give the C library's bits. Check
 * writes to a file at every assertion, which so many calls cannot afford: it only hears of what is wrong.
 */
static void
check_read(const char *text)
{
	size_t len = strlen(text);
	char *block = malloc(len + 1);
	const char *end_f, *end_d;
	float f = 0, want_f = strtof(text, NULL);
	double d = 0, want_d = strtod(text, NULL);
	enum decimal_result rf, rd;

	if (block == NULL)
		ck_abort_msg("no memory");
	memcpy(block, text, len);
	block[len] = ',';
	rf = decimal_read(block, block + len + 1, &end_f, DECIMAL_F32, &f);
	rd = decimal_read(block, block + len + 1, &end_d, DECIMAL_F64, &d);
	if (rf != (isinf(want_f) ? DECIMAL_OVERFLOW : DECIMAL_OK) ||
	    rd != (isinf(want_d) ? DECIMAL_OVERFLOW : DECIMAL_OK))
		ck_abort_msg("%.60s: %d as float, %d as double", text, (int)rf, (int)rd);
	if (end_f != block + len || end_d != block + len)
		ck_abort_msg("%.60s: does not end where it ends", text);
	if (rf == DECIMAL_OK && bits_of_float(f) != bits_of_float(want_f))
		ck_abort_msg("%.60s: %a is not %a", text, (double)f, (double)want_f);
	if (rd == DECIMAL_OK && bits_of_double(d) != bits_of_double(want_d))
		ck_abort_msg("%.60s: %a is not %a", text, d, want_d);
	free(block);
}

START_TEST(hard_numbers_are_read_right)
{
	static const char *const hard[] = { "0", "-0", "0.0", "-0e99999", "1", "16777217",
		"16777216.99999999999999999999999", "9007199254740993", "9007199254740992.99999999999999999999",
		"1.00000005960464477539062500", "1.000000059604644775390625000000000000001",
		"1.00000005960464477539062499999999999999", "7.006492321624085e-46", "7.006492321624086e-46", "1.4e-45",
		"1e-46", "5e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "2.2250738585072011e-308",
		"2.2250738585072014e-308", "3.4028234663852886e38", "3.4028235677973366e38", "3.4028235677973365e38",
		"1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "1e5000", "1e-5000",
		"1e99999999999999999999", "1e-99999999999999999999", "1e23", "8.41e21", "2.0e-308", "8589973504",
		"8589934592.5", "0.1", "123456789012345678901234567890",
		"0.000000000000000000000000000000000000000000001401298464324817", "1.17549428e-38",
		"1.1754943508222875e-38", "100000000000000016777215", "100000000000000016777216", "3.5028234666e+38" };

	for (size_t i = 0; i < sizeof(hard) / sizeof(hard[0]); i++)
		check_read(hard[i]);
}
END_TEST

/* digits[0..len)·10^exponent. */
static void
check_digits(const char *digits, int len, int exponent)
{
	static char text[4000];

	snprintf(text, sizeof(text), "%.*se%d", len, digits, exponent);
	check_read(text);
	/* The same with a point in it, which is where a number's digits are counted. */
	if (len == 1)
		return;
	snprintf(text, sizeof(text), "-%c.%.*se%d", digits[0], len - 1, digits + 1, exponent + len - 1);
	check_read(text);
}

/*
 * A number: as it is, and as little above and below it as its last digit tells, and one that stands 800 places further.
 */
static void
check_around(long double number)
{
	static char digits[2000];
	int len = snprintf(digits, 1200, "%.1100Le", number), exponent = atoi(strchr(digits, 'e') + 1);

	*strchr(digits, 'e') = '\0';
	memmove(digits + 1, digits + 2, strlen(digits + 1));
	for (len = (int)strlen(digits); digits[len - 1] == '0'; len--)
		;
	exponent -= len - 1;
	check_digits(digits, len, exponent);
	memset(digits + len, '0', 800);
	digits[len + 800] = '1';
	check_digits(digits, len + 801, exponent - 801);
	digits[len - 1]--;
	check_digits(digits, len, exponent);
	memset(digits + len, '9', 801);
	check_digits(digits, len + 801, exponent - 801);
	digits[len - 1] = (char)(digits[len - 1] + 2);
	if (digits[len - 1] <= '9')
		check_digits(digits, len, exponent);
}

START_TEST(midpoints_of_floats)
{
	for (int i = 0; i < 4000; i++) {
		uint32_t field = (uint32_t)i % 255, fraction = (uint32_t)random_bits(&random_state) & 0x7fffff;
		uint32_t bits = field << 23 | (i % 3 == 0 ? fraction % 4 : fraction);

		if (bits < 0x7f7fffff)
			check_around(((long double)float_of(bits) + (long double)float_of(bits + 1)) / 2);
	}
}
END_TEST

START_TEST(midpoints_of_doubles)
{
	_Static_assert(LDBL_MANT_DIG > DBL_MANT_DIG, "a midpoint between doubles must be a long double");

	for (int i = 0; i < 4000; i++) {
		uint64_t field = random_bits(&random_state) % 2047,
			 fraction = random_bits(&random_state) & ((UINT64_C(1) << 52) - 1);
		uint64_t bits = (i % 5 == 0 ? 0 : field) << 52 | (i % 3 == 0 ? fraction % 4 : fraction);

		if (isfinite(double_of(bits + 1)))
			check_around(((long double)double_of(bits) + (long double)double_of(bits + 1)) / 2);
	}
}
END_TEST

START_TEST(long_numbers)
{
	static char text[20100];

	for (int digits = 1; digits < 20000; digits = digits * 3 + 1) {
		for (int i = 0; i < digits; i++)
			text[i] = (char)('1' + random_bits(&random_state) % 9);
		text[digits] = '\0';
		check_read(text);
		snprintf(text + digits, 64, ".5e-%d", digits + 3);
		check_read(text);
	}
}
END_TEST

START_TEST(random_texts_are_read_right)
{
	char text[64];

	for (int i = 0; i < 400000; i++) {
		uint64_t r = random_bits(&random_state);

		snprintf(text, sizeof(text), "%s%llu.%llue%d", r & 1 ? "-" : "",
		    (unsigned long long)(random_bits(&random_state) >> (r % 64)),
		    (unsigned long long)(random_bits(&random_state) >> ((r >> 8) % 64)), (int)((r >> 20) % 100) - 60);
		check_read(text);
	}
}
END_TEST

START_TEST(grammar)
{
	static const struct {
		const char *text;
		int wrong_at; /* -1: fine, ends at the comma */
	} cases[] = { { "1,", -1 }, { "-1.5e+3,", -1 }, { "+1,", 0 }, { ".5,", 0 }, { "1.,", 2 }, { "1.e3,", 2 },
		{ "-,", 1 }, { "-x,", 1 }, { "1e,", 2 }, { "1e+,", 3 }, { "x,", 0 }, { "NaN,", 0 }, { "Infinity,", 0 },
		{ "-Infinity,", 1 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = cases[i].text, *end = NULL;
		float f;
		enum decimal_result r = decimal_read(text, text + strlen(text), &end, DECIMAL_F32, &f);

		ck_assert_msg(r == (cases[i].wrong_at < 0 ? DECIMAL_OK : DECIMAL_INVALID), "%s: %d", text, (int)r);
		ck_assert_msg(end - text == (cases[i].wrong_at < 0 ? (long)strlen(text) - 1 : cases[i].wrong_at),
		    "%s: %ld", text, (long)(end - text));
	}
}
END_TEST

/* The ends of the types' ranges with all their digits, and what lies closest about them. */
START_TEST(ends_of_the_ranges)
{
	static char text[2500];
	/*
	 * Smallest subnormal and half of it, largest subnormal, smallest normal, largest, and where infinity begins:
	 * that, and then the same for double.
	 */
	const long double ends[] = { 0x1p-149L, 0x1p-150L, 0x1.8p-149L, 0x1.fffffcp-127L, 0x1p-126L, 0x1.fffffep127L,
		0x1.ffffffp127L, 0x1p128L, 0x1p-1074L, 0x1p-1075L, 0x1.8p-1074L, 0x0.fffffffffffffp-1022L, 0x1p-1022L,
		0x1.fffffffffffffp1023L, 0x1.fffffffffffff8p1023L, 0x1p1024L };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		check_around(ends[i]);
		for (int digits = 1; digits < 30; digits++) {
			snprintf(text, sizeof(text), "%.*Le", digits, ends[i]);
			check_read(text);
		}
	}
}
END_TEST

START_TEST(signs_and_zeros)
{
	static const char *const texts[] = { "0", "0.0", "0e0", "0.000e5", "0E-5000", "0e99999999999999999999999",
		"1e-46", "1e-400", "1e-5000", "1e-99999999999999999999999", "0.1", "0.10",
		"0.100000000000000000000000000000", "1.0", "1.50", "100", "100.0", "1e0", "1e00", "1e+00", "1E-00",
		"0.00000000000000000000000000000000000001", "1000000000000000000000000000000",
		"12345678901234567890000000000000000000", "0.00000000000000000000123456789012345678901234567890" };
	char text[128];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		check_read(texts[i]);
		snprintf(text, sizeof(text), "-%s", texts[i]);
		check_read(text);
	}
}
END_TEST

/* Thousands of digits or zeros that the exponent makes up for, and exponents that nothing makes up for. */
START_TEST(exponents_of_thousands)
{
	static char text[6000];
	static const char *const digits[] = { "1", "17", "340282356779733661637539395458142568448",
		"1797693134862315807" };

	for (size_t i = 0; i < sizeof(digits) / sizeof(digits[0]); i++) {
		for (int zeros = 1; zeros <= 5000; zeros = zeros * 3 + 1) {
			for (int exponent = -30; exponent <= 30; exponent += 6) {
				snprintf(text, sizeof(text), "0.%0*d%se%d", zeros, 0, digits[i], zeros + exponent);
				check_read(text);
				snprintf(text, sizeof(text), "%s%0*de%d", digits[i], zeros, 0, -zeros - exponent);
				check_read(text);
			}
		}
		for (int exponent = 300; exponent < 20000; exponent = exponent * 5 / 4) {
			snprintf(text, sizeof(text), "%se%d", digits[i], exponent);
			check_read(text);
			snprintf(text, sizeof(text), "-%se-%d", digits[i], exponent);
			check_read(text);
		}
	}
}
END_TEST

START_TEST(subnormals_are_read_right)
{
	char text[64];

	for (int i = 0; i < 40000; i++) {
		uint32_t bits = (uint32_t)(random_bits(&random_state) >> (i % 24)) & 0x7fffff;
		uint64_t bits_wide = (random_bits(&random_state) >> (i % 53)) & ((UINT64_C(1) << 52) - 1);

		snprintf(text, sizeof(text), "%.*e", i % 20, (double)float_of(bits));
		check_read(text);
		snprintf(text, sizeof(text), "%.*e", i % 20, double_of(bits_wide));
		check_read(text);
	}
}
END_TEST

/* Cut anywhere, with nothing behind the cut that could be looked at, a number might go on. */
START_TEST(every_cut)
{
	static const char *const texts[] = { "-12345678.90123456789e-12", "0", "-0", "1.5", "1e5", "-0.0e+0",
		"123456789012345678901234567890.123456789012345678901234567890E+123",
		"0.00000000000000000000000000001e-5" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (size_t cut = 0; cut <= strlen(texts[i]); cut++) {
			char *block = malloc(cut > 0 ? cut : 1);
			const char *end;
			uint16_t half;
			float f;
			double d;

			ck_assert_ptr_nonnull(block);
			memcpy(block, texts[i], cut);
			ck_assert_int_eq(
			    decimal_read(block, block + cut, &end, DECIMAL_F16, &half), DECIMAL_INCOMPLETE);
			ck_assert_int_eq(decimal_read(block, block + cut, &end, DECIMAL_F32, &f), DECIMAL_INCOMPLETE);
			ck_assert_int_eq(decimal_read(block, block + cut, &end, DECIMAL_F64, &d), DECIMAL_INCOMPLETE);
			free(block);
		}
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("decimal_read");
	TCase *t = tcase_create("decimal_read");

	tcase_set_timeout(t, 300);
	tcase_add_test(t, hard_numbers_are_read_right);
	tcase_add_test(t, midpoints_of_floats);
	tcase_add_test(t, midpoints_of_doubles);
	tcase_add_test(t, ends_of_the_ranges);
	tcase_add_test(t, signs_and_zeros);
	tcase_add_test(t, exponents_of_thousands);
	tcase_add_test(t, subnormals_are_read_right);
	tcase_add_test(t, long_numbers);
	tcase_add_test(t, random_texts_are_read_right);
	tcase_add_test(t, grammar);
	tcase_add_test(t, every_cut);
	suite_add_tcase(s, t);
	return s;
}
