/* Numbers and their text, against the C library's exact conversions. */
#include "tests/unit/unit.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/decimal.h"

static uint64_t random_state = 20260124;

static uint64_t
random_bits(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint32_t
bits_of_float(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof(u));
	return u;
}

static uint64_t
bits_of_double(double d)
{
	uint64_t u;

	memcpy(&u, &d, sizeof(u));
	return u;
}

/* Reads `text`, a comma after it, out of a block of exactly its size: both types must give the C library's bits. */
static void
check_read(const char *text)
{
	size_t len = strlen(text);
	char *block = malloc(len + 1);
	const char *end;
	float f = 0, want_f = strtof(text, NULL);
	double d = 0, want_d = strtod(text, NULL);
	enum decimal_result rf, rd;

	ck_assert_ptr_nonnull(block);
	memcpy(block, text, len);
	block[len] = ',';
	rf = decimal_read_f32(block, block + len + 1, &end, &f);
	ck_assert_msg(rf == (isinf(want_f) ? DECIMAL_OVERFLOW : DECIMAL_OK), "%.60s: %d", text, (int)rf);
	ck_assert_ptr_eq(end, block + len);
	ck_assert_msg(
	    isinf(want_f) || bits_of_float(f) == bits_of_float(want_f), "%.60s: %a is not %a", text, (double)f, (double)want_f);
	rd = decimal_read_f64(block, block + len + 1, &end, &d);
	ck_assert_msg(rd == (isinf(want_d) ? DECIMAL_OVERFLOW : DECIMAL_OK), "%.60s: %d", text, (int)rd);
	ck_assert_ptr_eq(end, block + len);
	ck_assert_msg(isinf(want_d) || bits_of_double(d) == bits_of_double(want_d), "%.60s: %a is not %a", text, d, want_d);
	free(block);
}

START_TEST(test_hard_numbers_are_read_right)
{
	static const char *const hard[] = { "0", "-0", "0.0", "-0e99999", "1", "16777217", "16777216.99999999999999999999999",
		"9007199254740993", "9007199254740992.99999999999999999999", "1.00000005960464477539062500",
		"1.000000059604644775390625000000000000001", "1.00000005960464477539062499999999999999",
		"7.006492321624085e-46", "7.006492321624086e-46", "1.4e-45", "1e-46", "5e-324", "2.4703282292062327e-324",
		"2.4703282292062328e-324", "2.2250738585072011e-308", "2.2250738585072014e-308", "3.4028234663852886e38",
		"3.4028235677973366e38", "3.4028235677973365e38", "1.7976931348623157e308", "1.7976931348623158e308",
		"1.7976931348623159e308", "1e5000", "1e-5000", "1e99999999999999999999", "1e-99999999999999999999", "1e23",
		"8.41e21", "2.0e-308", "8589973504", "8589934592.5", "0.1", "123456789012345678901234567890",
		"0.000000000000000000000000000000000000000000001401298464324817", "1.17549428e-38", "1.1754943508222875e-38",
		"100000000000000016777215", "100000000000000016777216", "3.5028234666e+38" };

	for (size_t i = 0; i < sizeof(hard) / sizeof(hard[0]); i++)
		check_read(hard[i]);
}
END_TEST

/* Numbers in the middle of two floats, and a digit far away that decides. */
START_TEST(test_halfway_cases)
{
	char text[2000];

	for (int i = 0; i < 2000; i++) {
		uint32_t u = (uint32_t)random_bits() & 0x7fffffff;
		float low, high;
		int len;

		if (u >= 0x7f7fffff)
			continue;
		memcpy(&low, &u, sizeof(low));
		u++;
		memcpy(&high, &u, sizeof(high));
		len = snprintf(text, 1000, "%.200f", ((double)low + (double)high) / 2);
		check_read(text);
		memset(text + len, '0', 800);
		memcpy(text + len + 800, "1", 2);
		check_read(text);
	}
}
END_TEST

START_TEST(test_long_numbers)
{
	static char text[20100];

	for (int digits = 1; digits < 20000; digits = digits * 3 + 1) {
		for (int i = 0; i < digits; i++)
			text[i] = (char)('1' + random_bits() % 9);
		text[digits] = '\0';
		check_read(text);
		snprintf(text + digits, 64, ".5e-%d", digits + 3);
		check_read(text);
	}
}
END_TEST

START_TEST(test_random_texts_are_read_right)
{
	char text[64];

	for (int i = 0; i < 400000; i++) {
		uint64_t r = random_bits();

		snprintf(text, sizeof(text), "%s%llu.%llue%d", r & 1 ? "-" : "",
		    (unsigned long long)(random_bits() >> (r % 64)), (unsigned long long)(random_bits() >> ((r >> 8) % 64)),
		    (int)((r >> 20) % 100) - 60);
		check_read(text);
	}
}
END_TEST

static size_t
significant_digits(const char *text, size_t len)
{
	size_t first = 0, last = 0, n = 0;

	for (size_t i = 0; i < len && text[i] != 'e' && text[i] != 'E'; i++) {
		if (text[i] < '0' || text[i] > '9')
			continue;
		n++;
		if (text[i] != '0') {
			first = first == 0 ? n : first;
			last = n;
		}
	}
	return first == 0 ? 1 : last - first + 1;
}

/* The fewest digits that %.*g needs; it rounds to nearest, so a shorter text than this never is longer than it. */
static size_t
fewest_digits_f32(float f)
{
	char text[64];
	int digits = 1;

	for (; digits < 9; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, (double)f);
		if (bits_of_float(strtof(text, NULL)) == bits_of_float(f))
			break;
	}
	snprintf(text, sizeof(text), "%.*e", digits - 1, (double)f);
	return significant_digits(text, strlen(text));
}

static void
check_write_f32(float f, int shortest)
{
	char text[DECIMAL_F32_BYTES + 1];
	size_t len = decimal_write_f32(f, text);
	const char *end;
	float back = 0;

	ck_assert_uint_lt(len, sizeof(text));
	text[len] = '\0';
	ck_assert_msg(bits_of_float(strtof(text, NULL)) == bits_of_float(f), "%s is not %a", text, (double)f);
	text[len] = ',';
	ck_assert_int_eq(decimal_read_f32(text, text + len + 1, &end, &back), DECIMAL_OK);
	ck_assert_uint_eq(bits_of_float(back), bits_of_float(f));
	if (shortest)
		ck_assert_uint_le(significant_digits(text, len), fewest_digits_f32(f));
}

START_TEST(test_every_9973rd_float32_survives)
{
	unsigned n = 0;
	float f;

	for (uint64_t u = 0; u <= UINT32_MAX; u += 9973) {
		uint32_t bits = (uint32_t)u;

		memcpy(&f, &bits, sizeof(f));
		if (isfinite(f))
			check_write_f32(f, n++ % 16 == 0);
	}
}
END_TEST

START_TEST(test_powers_of_two_and_neighbours)
{
	for (uint32_t exponent = 0; exponent < 255; exponent++)
		for (int delta = -2; delta <= 2; delta++) {
			uint32_t bits = (exponent << 23) + (uint32_t)delta;
			float f;

			if ((int32_t)bits < 0 || bits >= 0x7f800000)
				continue;
			memcpy(&f, &bits, sizeof(f));
			check_write_f32(f, 1);
		}
}
END_TEST

START_TEST(test_random_doubles_survive)
{
	char text[DECIMAL_F64_BYTES + 1];

	for (int i = 0; i < 400000; i++) {
		uint64_t bits = random_bits();
		double d;
		size_t len;

		memcpy(&d, &bits, sizeof(d));
		if (!isfinite(d))
			continue;
		len = decimal_write_f64(d, text);
		text[len] = '\0';
		ck_assert_msg(bits_of_double(strtod(text, NULL)) == bits, "%s is not %a", text, d);
		ck_assert_uint_le(significant_digits(text, len), 17);
	}
}
END_TEST

START_TEST(test_known_shortest_doubles)
{
	static const struct {
		double value;
		size_t digits;
	} known[] = { { 5e-324, 1 }, { 5.684341886080802e-14, 16 }, { 9007199254740993.0, 16 }, { 1.7976931348623157e308, 17 },
		{ 1e23, 1 }, { 8.41e21, 3 }, { 2e-308, 1 }, { 0.1, 1 }, { 0.3, 1 }, { 1.0 / 3, 16 }, { 100, 1 } };
	char text[DECIMAL_F64_BYTES + 1];

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t len = decimal_write_f64(known[i].value, text);

		text[len] = '\0';
		ck_assert_msg(strtod(text, NULL) == known[i].value, "%s", text);
		ck_assert_msg(significant_digits(text, len) == known[i].digits, "%s has not %zu digits", text, known[i].digits);
	}
}
END_TEST

START_TEST(test_grammar)
{
	static const struct {
		const char *text;
		int wrong_at; /* -1: fine, ends at the comma */
	} cases[] = { { "1,", -1 }, { "-1.5e+3,", -1 }, { "+1,", 0 }, { ".5,", 0 }, { "1.,", 2 }, { "1.e3,", 2 }, { "-,", 1 },
		{ "-x,", 1 }, { "1e,", 2 }, { "1e+,", 3 }, { "x,", 0 }, { "NaN,", 0 }, { "Infinity,", 0 },
		{ "-Infinity,", 1 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = cases[i].text, *end = NULL;
		float f;
		enum decimal_result r = decimal_read_f32(text, text + strlen(text), &end, &f);

		ck_assert_msg(r == (cases[i].wrong_at < 0 ? DECIMAL_OK : DECIMAL_INVALID), "%s: %d", text, (int)r);
		ck_assert_msg(end - text == (cases[i].wrong_at < 0 ? (long)strlen(text) - 1 : cases[i].wrong_at), "%s: %ld",
		    text, (long)(end - text));
	}
}
END_TEST

START_TEST(test_a_number_that_touches_the_limit_may_go_on)
{
	static const char text[] = "-12345678.90123456789e-12";

	for (size_t cut = 1; cut < sizeof(text); cut++) {
		char *block = malloc(cut);
		const char *end;
		double d;

		ck_assert_ptr_nonnull(block);
		memcpy(block, text, cut);
		if (cut < sizeof(text) - 1)
			ck_assert_int_eq(decimal_read_f64(block, block + cut, &end, &d), DECIMAL_INCOMPLETE);
		free(block);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("decimal");
	TCase *t = tcase_create("decimal");

	tcase_set_timeout(t, 300);
	tcase_add_test(t, test_hard_numbers_are_read_right);
	tcase_add_test(t, test_halfway_cases);
	tcase_add_test(t, test_long_numbers);
	tcase_add_test(t, test_random_texts_are_read_right);
	tcase_add_test(t, test_every_9973rd_float32_survives);
	tcase_add_test(t, test_powers_of_two_and_neighbours);
	tcase_add_test(t, test_random_doubles_survive);
	tcase_add_test(t, test_known_shortest_doubles);
	tcase_add_test(t, test_grammar);
	tcase_add_test(t, test_a_number_that_touches_the_limit_may_go_on);
	suite_add_tcase(s, t);
	return s;
}
