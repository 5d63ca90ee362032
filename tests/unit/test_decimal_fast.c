/* SPDX-License-Identifier: MIT */
/*
 * The in-line reader says what the exact reader says, of any text, whatever stands before and behind it: all short
 * texts, numbers of every size, and texts made of numbers' characters. Every text lies in a block of its own, so that a
 * sanitizer sees a byte that is read beyond it.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/decimal/fast.h"
#include "tests/unit/bits.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BEFORE_MAX ((size_t)36)

/* The bits of what was read, and where; `bits` is 0 unless it is a number. */
struct read {
	enum decimal_result result;
	const char *end;
	uint64_t bits;
};

static struct read
read_exactly(enum decimal_type type, const char *p, const char *limit)
{
	struct read r = { .end = NULL };

	r.result = decimal_read(p, limit, &r.end, type, &r.bits);
	return r;
}

static struct read
read_fast(enum decimal_type type, const char *floor, const char *p, const char *limit)
{
	struct read r = { .end = NULL };

	r.result = decimal_fast_read(floor, p, limit, &r.end, type, &r.bits);
	return r;
}

/* `text`, with what stands behind it, at `before` bytes into a block that ends with it. */
static void
assert_same(const char *text, size_t len, size_t before)
{
	static const char filler[] = "987654321098765432109876543210987654";
	char *block = malloc(before + len);
	const char *p = block + before, *limit = p + len;

	memcpy(block, filler + BEFORE_MAX - before, before);
	memcpy(block + before, text, len);
	for (enum decimal_type t = DECIMAL_F16; t <= DECIMAL_F64; t++) {
		struct read exact = read_exactly(t, p, limit), fast = read_fast(t, block, p, limit);

		/* Check notes every assertion in a file, and there are millions. */
		if (exact.result != fast.result || exact.bits != fast.bits ||
		    (exact.result != DECIMAL_INCOMPLETE && exact.end != fast.end))
			ck_abort_msg("%.*s: result %d, bits %#jx, end %td; not %d, %#jx, %td", (int)len, text,
			    fast.result, (uintmax_t)fast.bits, fast.end - p, exact.result, (uintmax_t)exact.bits,
			    exact.end - p);
	}
	free(block);
}

/* The text with each of what may follow a number, and with enough behind it that the fast way is open. */
static void
assert_same_followed(const char *text, size_t before)
{
	static const char *const behind[] = { ",", "]", ",1,2,3,4,5,6,7,8,9", "],[1,2,3,4,5,6,7,8,9,10,11,12,13,14",
		" ,1,2,3,4,5,6,7,8,9", "}                  ", "-9,9999999999999999", "" };
	char all[128];

	for (size_t i = 0; i < COUNT(behind); i++) {
		snprintf(all, sizeof(all), "%s%s", text, behind[i]);
		assert_same(all, strlen(all), before);
	}
}

/* Every text of up to five of these characters, in front of other numbers. */
START_TEST(short_texts)
{
	static const char characters[] = "0159.-+eE,] ";
	char text[6];

	for (unsigned long n = 0; n < 12ul * 12 * 12 * 12 * 12; n++) {
		unsigned long rest = n;
		char all[48];

		for (int i = 0; i < 5; i++, rest /= 12)
			text[i] = characters[rest % 12];
		text[5] = '\0';
		snprintf(all, sizeof(all), "%s,3.25,17,0.5,8,4.125,9,10,1", text);
		assert_same(all, strlen(all), n % 2 == 0 ? 17 : 33);
	}
}
END_TEST

static const char *const numbers[] = { "0", "-0", "1", "-1", "7", "10", "0.5", "-0.5", "0.1", "123456789012345",
	"-12345678901234", "1234567890123456", "0.1234567890123", "-0.123456789012", "12345.67890123",
	"0.00000000000001", "0.0000000000001", "99999999999999", "999999999999999", "9999999999.9999",
	"0.30000001192092", "16777217", "16777219", "16777216.5", "16777217.0", "-16777217", "33554434.000",
	"0.000061035156", "65504", "65519", "65519.99", "65520", "-65520", "0.00006103515625", "0.00000005960464", "00",
	"01", "-01", "-", ".5", "-.5", "5.", "-5.", "1.2.3", "1..2", "--1", "1-1", "+1", "1e5", "1E5", "1.5e-5", "0x10",
	"1_0", "1/2", "1:2", "\xb1", "1\xb1", "1.\xb1", "1.5\xff", "1.2345678e-12", "-1.2345678E+12", "1e", "1e-",
	"1e+", "1.e5", "1e-400", "1e400", "-1e400", "1e0400", "1e1000", "1e 5", "1ee5", "1e5.5", "1e5e5", "0e0", "-0e5",
	"0.0e-3", "3.4028235e38", "3.4028236e38", "1.7976931348623157e308", "1.7976931348623159e308", "5e-324",
	"2.4703282292062327e-324", "2.4703282292062328e-324", "1e-45", "7e-46", "0.12345678901234567",
	"-0.12345678901234567", "1234567890123456789", "-1234567890123456789", "9999999999999999999",
	"12345678901234567890", "123456789.0123456789", "0.00012345678901234567", "0.0000000000001234567890123",
	"1234567890123456.5", "12345678901234567.5", "123456789012345678.9e-3", "00.5e1", "-01e1", "-.5e1",
	"9007199254740993", "9007199254740992.5", "1.00000005960464477539062", "NaN", "Infinity", "" };

START_TEST(each_number)
{
	for (size_t before = 0; before <= BEFORE_MAX; before++)
		assert_same_followed(numbers[_i], before);
}
END_TEST

/* Numbers as others print them: every count of digits, every place of the point. */
START_TEST(random_numbers)
{
	uint64_t state = (uint64_t)_i + 1;
	char text[80];
	int before, behind;

	for (int n = 0; n < 60000; n++) {
		before = 1 + (int)(random_bits(&state) % 8);
		behind = (int)(random_bits(&state) % 14);
		snprintf(text, sizeof(text), "%s%.*f,1,2,3,4,5,6,7,8,9", random_bits(&state) % 2 == 0 ? "-" : "",
		    behind,
		    (double)(uint32_t)random_bits(&state) / 4294967296.0 *
			(before == 1       ? 1 :
				before < 5 ? 1000 :
					     1e7));
		assert_same(text, strlen(text), 17 + (size_t)(n % 4));
	}
}
END_TEST

/* Doubles and floats of every size as printf writes them, with up to 19 digits and with exponents. */
START_TEST(random_sizes)
{
	uint64_t state = (uint64_t)_i + 1000;
	char text[96];

	for (int n = 0; n < 100000; n++) {
		uint64_t bits = random_bits(&state);
		uint32_t narrow = (uint32_t)random_bits(&state);
		double wide = double_of(bits);
		float single = float_of(narrow);

		snprintf(text, sizeof(text),
		    n % 4 == 0 ? "%.*g,1,2,3,4,5,6,7,8,9,10,11,12,13" : "%.*e,1,2,3,4,5,6,7,8,9,10,11,12,13",
		    (int)(random_bits(&state) % 19), n % 2 == 0 ? wide : (double)single);
		assert_same(text, strlen(text), 33);
	}
}
END_TEST

/* Characters of numbers in any order; a stop somewhere, or none. */
START_TEST(random_texts)
{
	static const char characters[] = "00123456789....----eE,,]+ \n";
	uint64_t state = (uint64_t)_i + 77;
	char text[72];
	size_t len;

	for (int n = 0; n < 100000; n++) {
		len = 1 + random_bits(&state) % (sizeof(text) - 1);
		for (size_t i = 0; i < len; i++)
			text[i] = characters[random_bits(&state) % (sizeof(characters) - 1)];
		assert_same(text, len, random_bits(&state) % (BEFORE_MAX + 1));
	}
}
END_TEST

/* Right between two floats, or halves, is where going by way of a double would round twice. */
START_TEST(midpoints)
{
	char text[64];
	double middle;

	for (uint32_t n = 0; n < 200000; n++) {
		middle = (double)(8388608 + n * 41) / 8388608 + 0x1p-24;
		for (int digits = 6; digits <= 13; digits++) {
			snprintf(text, sizeof(text), "%.*f,1,2,3,4,5,6,7,8,9", digits, middle);
			if (digits == 13 || n % 16 == 0)
				assert_same(text, strlen(text), 17);
		}
	}
	for (uint32_t n = 1; n < 65504; n++) {
		snprintf(text, sizeof(text), "%.6f,1,2,3,4,5,6,7,8,9", (double)n + 0.5);
		assert_same(text, strlen(text), 17);
	}
}
END_TEST

START_TEST(lanes)
{
	decimal_lanes v;

	for (unsigned bits = 0; bits < 65536; bits++) {
		for (int i = 0; i < 16; i++)
			v[i] = (bits >> i & 1) != 0 ? 0xff : 0;
		if (decimal_lanes_bits(v) != bits)
			ck_abort_msg("%#x", bits);
	}
	for (unsigned count = 0; count <= 16; count++)
		ck_assert_uint_eq(decimal_lanes_bits(decimal_lanes_last(count)), 0xffffu & ~((1u << (16 - count)) - 1));
	for (int i = 0; i < 16; i++)
		v[i] = (uint8_t)(9 - i % 10);
	ck_assert(decimal_lanes_join(v) == UINT64_C(9876543210987654));
	ck_assert(decimal_lanes_join(decimal_lanes_all(9)) == UINT64_C(9999999999999999));
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("decimal_fast");
	TCase *all = tcase_create("as the exact reader");

	tcase_set_timeout(all, 300);
	tcase_add_test(all, lanes);
	tcase_add_test(all, short_texts);
	tcase_add_loop_test(all, each_number, 0, (int)COUNT(numbers));
	tcase_add_loop_test(all, random_numbers, 0, 4);
	tcase_add_loop_test(all, random_sizes, 0, 4);
	tcase_add_loop_test(all, random_texts, 0, 4);
	tcase_add_test(all, midpoints);
	suite_add_tcase(suite, all);
	return suite;
}
