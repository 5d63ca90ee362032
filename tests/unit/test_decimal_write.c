/* SPDX-License-Identifier: MIT */
/*
 * Writing numbers: that they survive, tried on some millions with every exponent among them (make verify-floats tries
 * every float), and on a part of these that no shorter or closer text would do, against printf and strtod of the C
 * library. Check writes to a file at every assertion, so only what is wrong comes to one.
 */
#include "tests/unit/unit.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/decimal.h"
#include "tests/unit/bits.h"

static uint64_t random_state = 20260124;

/* Writes a number of either type and reads it back. `text` gets a NUL at its end. */
static void
check_survives(bool wide, uint64_t bits, char text[DECIMAL_F64_BYTES + 1])
{
	const char *end = NULL;
	size_t len;
	uint64_t back = 0;
	enum decimal_result r;
	double d = 0;
	float f = 0;

	if (wide) {
		len = decimal_write_f64(double_of(bits), text);
		text[len] = ',';
		r = decimal_read(text, text + len + 1, &end, DECIMAL_F64, &d);
		back = bits_of_double(d);
	} else {
		len = decimal_write_f32(float_of((uint32_t)bits), text);
		text[len] = ',';
		r = decimal_read(text, text + len + 1, &end, DECIMAL_F32, &f);
		back = bits_of_float(f);
	}
	text[len] = '\0';
	if (r != DECIMAL_OK || end != text + len || back != bits)
		ck_abort_msg("%#llx is written %s, which is read as %#llx (%d)", (unsigned long long)bits, text,
		    (unsigned long long)back, (int)r);
}

/* digits·10^exponent, digits without zeros at the end. */
struct plain {
	long long digits;
	int exponent;
};

static struct plain
parse(const char *text)
{
	struct plain d = { 0, 0 };
	bool behind = false;
	int zeros = 0; /* since the last other digit */

	for (; *text != '\0' && *text != 'e'; text++) {
		if (*text == '.')
			behind = true;
		if (*text < '0')
			continue;
		d.exponent -= behind;
		zeros++;
		if (*text == '0')
			continue;
		for (; zeros > 0; zeros--)
			d.digits *= 10;
		d.digits += *text - '0';
	}
	d.exponent += zeros + (*text == 'e' ? atoi(text + 1) : 0);
	return d;
}

static bool
reads_as(bool wide, const char *text, double value)
{
	return wide ? strtod(text, NULL) == value : strtof(text, NULL) == (float)value;
}

/* printf's text of so many digits, the closest of them. */
static struct plain
closest(double value, int digits)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*e", digits - 1, value);
	return parse(text);
}

/* Whether any number of so many digits reads as `value`: the closest, or the one above or below that. */
static bool
any_reads_as(bool wide, double value, int digits)
{
	struct plain d = closest(value, digits);
	char text[64];

	/*
	 * Without zeros at its end there may be fewer digits than asked for: its neighbours are as far as one unit of
	 * the last.
	 */
	for (int n = snprintf(NULL, 0, "%lld", d.digits); n < digits; n++) {
		d.digits *= 10;
		d.exponent--;
	}
	for (long long near = d.digits - 1; near <= d.digits + 1; near++) {
		snprintf(text, sizeof(text), "%llde%d", near, d.exponent);
		if (reads_as(wide, text, value))
			return true;
	}
	return false;
}

/* For a positive number. */
static void
check_shortest(bool wide, uint64_t bits)
{
	double value = wide ? double_of(bits) : (double)float_of((uint32_t)bits);
	char text[DECIMAL_F64_BYTES + 1], other[64];
	struct plain ours, best;
	int digits;

	check_survives(wide, bits, text);
	ours = parse(text);
	digits = snprintf(NULL, 0, "%lld", ours.digits);
	if (!reads_as(wide, text, value))
		ck_abort_msg("%s is not %a", text, value);
	if (digits > 1 && any_reads_as(wide, value, digits - 1))
		ck_abort_msg("%s is not the shortest of %a", text, value);
	best = closest(value, digits);
	snprintf(other, sizeof(other), "%llde%d", best.digits, best.exponent);
	if ((best.digits != ours.digits || best.exponent != ours.exponent) && reads_as(wide, other, value))
		ck_abort_msg("%s is closer to %a than %s", other, value, text);
}

/* 16,000 and some of every exponent, spread over all significands, of both signs. */
START_TEST(floats_of_every_exponent_survive)
{
	char text[DECIMAL_F64_BYTES + 1];

	for (uint32_t field = 0; field < 255; field++) {
		for (uint32_t fraction = field; fraction < 1 << 23; fraction += 509)
			check_survives(false, fraction % 2 << 31 | field << 23 | fraction, text);
	}
}
END_TEST

START_TEST(doubles_of_every_exponent_survive)
{
	char text[DECIMAL_F64_BYTES + 1];

	for (uint64_t field = 0; field < 2047; field++) {
		for (int i = 0; i < 500; i++)
			check_survives(true,
			    random_bits(&random_state) << 63 | field << 52 | random_bits(&random_state) >> 12, text);
	}
}
END_TEST

/* Significands of few bits, of few bits missing, and at either end. */
static uint64_t
edge(int i, int bits)
{
	const uint64_t all = (UINT64_C(1) << bits) - 1, bit = UINT64_C(1) << i % bits;

	switch (i / bits) {
	case 0:
		return bit;
	case 1:
		return all ^ bit;
	case 2:
		return bit - 1;
	case 3:
		return (bit << 1 | bit) & all;
	case 4:
		return (uint64_t)(i % bits);
	default:
		return all - (uint64_t)(i % bits);
	}
}

START_TEST(edges_of_floats_are_shortest)
{
	for (uint64_t field = 0; field < 255; field++) {
		for (int i = 0; i < 6 * 23; i++)
			check_shortest(false, (field << 23 | edge(i, 23)) + (field == 0));
	}
}
END_TEST

START_TEST(edges_of_doubles_are_shortest)
{
	for (uint64_t field = 0; field < 2047; field += 1 + (field > 100 && field < 1900) * 6) {
		for (int i = 0; i < 6 * 52; i += 1 + (int)(random_bits(&random_state) % 4))
			check_shortest(true, (field << 52 | edge(i, 52)) + (field == 0));
	}
}
END_TEST

START_TEST(random_numbers_are_shortest)
{
	for (int i = 0; i < 60000; i++) {
		uint64_t bits = random_bits(&random_state) >> 1;

		if (isfinite(float_of((uint32_t)(bits >> 32))) && bits >> 32 != 0)
			check_shortest(false, bits >> 32);
		if (isfinite(double_of(bits)))
			check_shortest(true, bits);
	}
}
END_TEST

/* Numbers that people write: few digits, so that the writer must find many zeros. */
START_TEST(short_numbers_come_back_as_they_were)
{
	char text[64], written[DECIMAL_F64_BYTES + 1];

	for (int i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "%llue%d", (unsigned long long)(1 + random_bits(&random_state) % 999999),
		    (int)(random_bits(&random_state) % 70) - 35 +
			(i % 2 == 0 ? 0 : (int)(random_bits(&random_state) % 500) - 250));
		written[decimal_write_f64(strtod(text, NULL), written)] = '\0';
		if (parse(text).digits != parse(written).digits || parse(text).exponent != parse(written).exponent)
			ck_abort_msg("%s is written %s", text, written);
	}
}
END_TEST

START_TEST(layout)
{
	static const struct {
		double value;
		const char *f32, *f64;
	} cases[] = { { 0, "0", "0" }, { -0.0, "-0", "-0" }, { 1, "1", "1" }, { -2.5, "-2.5", "-2.5" },
		{ 100, "100", "100" }, { 16777216, "16777216", "16777216" }, { 0.5, "0.5", "0.5" },
		{ 0x1p-149, "1e-45", "1.401298464324817e-45" },
		{ 0x1.fffffep127, "3.4028235e38", "3.4028234663852886e38" }, { 0.1f, "0.1", "0.10000000149011612" },
		{ 1e-5, "0.00001", "0.00001" }, { 9.5e-6, "9.5e-6", "9.5e-6" }, { 123456, "123456", "123456" },
		{ 1e10, "10000000000", "10000000000" }, { 9007199254740992, "9007199000000000", "9007199254740992" } };
	char text[DECIMAL_F64_BYTES + 1];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text[decimal_write_f32((float)cases[i].value, text)] = '\0';
		ck_assert_str_eq(text, cases[i].f32);
		text[decimal_write_f64(cases[i].value, text)] = '\0';
		ck_assert_str_eq(text, cases[i].f64);
	}
}
END_TEST

START_TEST(known_shortest_doubles)
{
	static const struct {
		double value;
		const char *text;
	} known[] = { { 5e-324, "5e-324" }, { 0x1p-44, "5.684341886080802e-14" },
		{ 1.7976931348623157e308, "1.7976931348623157e308" },
		{ 2.2250738585072014e-308, "2.2250738585072014e-308" }, { 1e23, "1e23" }, { 8.41e21, "8.41e21" },
		{ 9.5367431640625e-7, "9.5367431640625e-7" }, { 2e-308, "2e-308" }, { 0.3, "0.3" },
		{ 1.0 / 3, "0.3333333333333333" }, { 9007199254740993.0, "9007199254740992" },
		{ 123456789012345680000.0, "123456789012345680000" } };
	char text[DECIMAL_F64_BYTES + 1];

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		text[decimal_write_f64(known[i].value, text)] = '\0';
		ck_assert_str_eq(text, known[i].text);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("decimal_write");
	TCase *t = tcase_create("decimal_write");

	tcase_set_timeout(t, 300);
	tcase_add_test(t, floats_of_every_exponent_survive);
	tcase_add_test(t, doubles_of_every_exponent_survive);
	tcase_add_test(t, edges_of_floats_are_shortest);
	tcase_add_test(t, edges_of_doubles_are_shortest);
	tcase_add_test(t, random_numbers_are_shortest);
	tcase_add_test(t, short_numbers_come_back_as_they_were);
	tcase_add_test(t, layout);
	tcase_add_test(t, known_shortest_doubles);
	suite_add_tcase(s, t);
	return s;
}
