/* SPDX-License-Identifier: MIT */
/* The JSON encoder: texts, and tensors block by block, which must come out the same whatever the blocks. */
#include "tests/unit/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/decimal.h"
#include "codec/json_scan.h"
#include "codec/json_write.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The buffer's text as a C string; the buffer is cleared for the next. */
static const char *
taken(struct buf *b)
{
	static char text[4096];

	ck_assert(!b->failed && b->len < sizeof(text));
	memcpy(text, b->bytes, b->len);
	text[b->len] = '\0';
	buf_clear(b);
	return text;
}

START_TEST(doubles)
{
	static const double values[] = { 1, -2.5, 0.1, 5, 6, 7 };
	static const size_t shape[] = { 3, 2 }, empty[] = { 2, 0 }, column[] = { 2, 1, 1 };
	struct buf b;

	buf_init(&b, 10000);
	json_add_double(&b, 0.1);
	ck_assert_str_eq(taken(&b), "0.1");
	json_add_doubles(&b, values, 3, 9);
	ck_assert_str_eq(taken(&b), "[1,-2.5,0.1]");
	json_add_doubles(&b, NULL, 3, 1);
	ck_assert_str_eq(taken(&b), "[1,1,1]");
	json_add_doubles(&b, NULL, 0, 1);
	ck_assert_str_eq(taken(&b), "[]");
	json_add_doubles_shaped(&b, values, shape, 2, 0);
	ck_assert_str_eq(taken(&b), "[[1,-2.5],[0.1,5],[6,7]]");
	json_add_doubles_shaped(&b, NULL, column, 3, 0.5);
	ck_assert_str_eq(taken(&b), "[[[0.5]],[[0.5]]]");
	json_add_doubles_shaped(&b, values, empty, 2, 0);
	ck_assert_str_eq(taken(&b), "[[],[]]");
	json_add_double_tensor(&b, values, 2, 0);
	ck_assert_str_eq(taken(&b), "{\"shape\":[2],\"datatype\":\"FP64\",\"data\":[1,-2.5]}");
	json_add_doubles(&b, NULL, 1000, 0.5);
	ck_assert_uint_eq(strlen(taken(&b)), 4001);
	buf_fini(&b);
}
END_TEST

/* A full buffer fails and stays failed; nothing is written beyond it. */
START_TEST(full_buffer)
{
	struct buf b;

	buf_init(&b, 300);
	json_add_doubles(&b, NULL, 1000, 0.5);
	ck_assert(b.failed);
	ck_assert_uint_le(b.len, 300);
	buf_fini(&b);
}
END_TEST

START_TEST(head)
{
	struct tensor t = { .datatype = DATATYPE_FP32, .rank = 3, .shape = { 2, 0, 3 } };
	struct buf b;

	buf_init(&b, 1000);
	json_add_tensor_head(&b, &t);
	ck_assert_str_eq(taken(&b), "{\"shape\":[2,0,3],\"datatype\":\"FP32\",\"data\":");
	buf_fini(&b);
}
END_TEST

typedef size_t read_tensor(const struct tensor *t, struct json_tensor_cursor *cursor, char *out, size_t size);

/* The tensor's data in blocks of `size` bytes, each allocated exactly; to be freed. */
static char *
read_blocks_by(read_tensor *read, const struct tensor *t, size_t size)
{
	struct json_tensor_cursor cursor = { 0 };
	char *text = NULL, *block;
	size_t len, total;
	FILE *out = open_memstream(&text, &total);

	ck_assert_ptr_nonnull(out);
	while (!cursor.done) {
		block = malloc(size);
		ck_assert_ptr_nonnull(block);
		len = read(t, &cursor, block, size);
		ck_assert(len > 0 && len <= size);
		fwrite(block, 1, len, out);
		free(block);
	}
	ck_assert_uint_eq(read(t, &cursor, NULL, 0), 0);
	fclose(out);
	return text;
}

static char *
read_blocks(const struct tensor *t, size_t size)
{
	return read_blocks_by(json_tensor_read, t, size);
}

/* Reads the tensor in blocks of many sizes: the text is `want` (unless NULL) every time. */
static void
check_tensor_by(read_tensor *read, const struct tensor *t, const char *want)
{
	char *whole = read_blocks_by(read, t, 1 << 20), *cut;
	size_t len = strlen(whole);

	if (want != NULL)
		ck_assert_str_eq(whole, want);
	for (size_t size = JSON_TENSOR_ROOM; size < 200 || size < len / 2; size += size < 400 ? 1 : size / 3) {
		cut = read_blocks_by(read, t, size);
		ck_assert_str_eq(whole, cut);
		free(cut);
	}
	ck_assert_uint_le(len + JSON_TENSOR_ROOM, json_tensor_bytes_max(t));
	free(whole);
}

/* The same; also where values that are not finite would be written. */
static void
check_tensor(const struct tensor *t, const char *want)
{
	char *whole, *any;

	check_tensor_by(json_tensor_read, t, want);
	whole = read_blocks(t, 1 << 20);
	any = read_blocks_by(json_tensor_read_any, t, JSON_TENSOR_ROOM);
	ck_assert_str_eq(any, whole);
	free(any);
	free(whole);
}

/* A tensor, nested or flat, and its text. */
struct tensor_case {
	unsigned rank;
	size_t shape[TENSOR_RANK_MAX];
	size_t count;
	const char *nested;
	const char *flat;
};

static const struct tensor_case tensors[] = {
	{ 1, { 3 }, 3, "[0,1.5,3]", "[0,1.5,3]" },
	{ 1, { 1 }, 1, "[0]", "[0]" },
	{ 1, { 0 }, 0, "[]", "[]" },
	{ 2, { 2, 0 }, 0, "[[],[]]", "[]" },
	{ 2, { 0, 3 }, 0, "[]", "[]" },
	{ 3, { 2, 0, 3 }, 0, "[[],[]]", "[]" },
	{ 3, { 2, 2, 0 }, 0, "[[[],[]],[[],[]]]", "[]" },
	{ 2, { 2, 3 }, 6, "[[0,1.5,3],[4.5,6,7.5]]", "[0,1.5,3,4.5,6,7.5]" },
	{ 3, { 2, 1, 2 }, 4, "[[[0,1.5]],[[3,4.5]]]", "[0,1.5,3,4.5]" },
	{ 4, { 1, 2, 2, 1 }, 4, "[[[[0],[1.5]],[[3],[4.5]]]]", "[0,1.5,3,4.5]" },
	{ 3, { 1, 1, 1 }, 1, "[[[0]]]", "[0]" },
	{ 2, { 200, 0 }, 0, NULL, "[]" },
	{ 3, { 30, 7, 3 }, 630, NULL, NULL },
	{ 3, { 3, 1, 200 }, 600, NULL, NULL },
	{ 32, { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 20 }, 20,
	    NULL, NULL },
	{ 32, { 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, 4,
	    NULL, NULL },
};

static uint16_t
half_of(double value)
{
	char text[32];
	const char *end;
	uint16_t bits = 0;

	snprintf(text, sizeof(text), "%g ", value);
	ck_assert_int_eq(decimal_read(text, text + strlen(text), &end, DECIMAL_F16, &bits), DECIMAL_OK);
	return bits;
}

/* Fills a tensor of the case's shape with 0, 1.5, 3, ... */
static void
fill(struct tensor *t, const struct tensor_case *c, enum datatype datatype)
{
	*t = (struct tensor){ .datatype = datatype, .rank = c->rank, .count = c->count };
	memcpy(t->shape, c->shape, sizeof(t->shape));
	if (c->count > 0)
		t->values = malloc(c->count * datatype_size(datatype));
	for (size_t i = 0; i < c->count; i++) {
		if (datatype == DATATYPE_FP64)
			((double *)t->values)[i] = 1.5 * (double)i;
		else if (datatype == DATATYPE_FP32)
			((float *)t->values)[i] = 1.5f * (float)i;
		else
			((uint16_t *)t->values)[i] = half_of(1.5 * (double)i);
	}
}

START_TEST(every_tensor)
{
	const struct tensor_case *c = &tensors[_i];
	struct tensor t;

	for (unsigned datatype = 0; datatype < DATATYPE_COUNT; datatype++) {
		if (!datatype_is_textual((enum datatype)datatype))
			continue;
		fill(&t, c, (enum datatype)datatype);
		t.nested = true;
		check_tensor(&t, c->nested);
		t.nested = false;
		check_tensor(&t, c->flat);
		tensor_fini(&t);
	}
}
END_TEST

/* What the encoder writes of a tensor, the decoder reads as the same tensor. */
START_TEST(round_trip)
{
	static const struct json_slot slot = { .key = "", .datatype = DATATYPE_FP64 };
	const struct tensor_case *c = &tensors[_i];
	struct tensor t, *back;
	struct json_scan *s = json_scan_new(&slot, 1, 1 << 20, NULL);
	struct err e;
	char *data;

	ck_assert_ptr_nonnull(s);
	fill(&t, c, DATATYPE_FP64);
	t.nested = true;
	data = read_blocks(&t, 200);
	ck_assert_int_eq(json_scan_feed(s, "{\"data\":", 8, &e), 0);
	ck_assert_int_eq(json_scan_feed(s, data, strlen(data), &e), 0);
	ck_assert_int_eq(json_scan_feed(s, "}", 1, &e), 0);
	ck_assert_int_eq(json_scan_finish(s, &e), 0);
	ck_assert_int_eq(json_scan_settle(s, DATATYPE_FP32, &e), 0);
	back = json_scan_tensor(s, 0);
	ck_assert_uint_eq(back->count, t.count);
	ck_assert(back->nested);
	ck_assert_mem_eq(back->shape, t.shape, back->rank * sizeof(*t.shape));
	if (t.count > 0)
		ck_assert_mem_eq(back->values, t.values, t.count * sizeof(double));
	free(data);
	tensor_fini(&t);
	json_scan_free(s);
}
END_TEST

/* The widest values within the most brackets: JSON_TENSOR_ROOM is enough. */
START_TEST(least_room)
{
	static const double wide[] = { -2.2250738585072014e-308, -1.7976931348623157e308 };
	struct tensor t = { .datatype = DATATYPE_FP64, .nested = true, .rank = TENSOR_RANK_MAX, .count = 2 };

	for (unsigned i = 0; i < TENSOR_RANK_MAX; i++)
		t.shape[i] = i == 0 ? 2 : 1;
	t.values = malloc(sizeof(wide));
	ck_assert_ptr_nonnull(t.values);
	memcpy(t.values, wide, sizeof(wide));
	check_tensor(&t, NULL);
	tensor_fini(&t);
}
END_TEST

/* What is not finite: its values and its names. */
static const double others[] = { NAN, INFINITY, -INFINITY, -NAN };
static const uint16_t other_halves[] = { 0x7e00, 0x7c00, 0xfc00, 0xfc01 };
static const char *const other_names[] = { "NaN", "Infinity", "-Infinity", "NaN" };

static void
set_other(struct tensor *t, size_t i, size_t which)
{
	if (t->datatype == DATATYPE_FP64)
		((double *)t->values)[i] = others[which];
	else if (t->datatype == DATATYPE_FP32)
		((float *)t->values)[i] = (float)others[which];
	else
		((uint16_t *)t->values)[i] = other_halves[which];
}

/* Values that are not finite, alone, side by side and far apart, come as their names, wherever a block ends. */
START_TEST(not_finite)
{
	static const enum datatype datatypes[] = { DATATYPE_FP32, DATATYPE_FP64, DATATYPE_FP16 };
	static const struct tensor_case cases[] = { { 1, { 1 }, 1, NULL, NULL }, { 1, { 300 }, 300, NULL, NULL },
		{ 2, { 100, 3 }, 300, NULL, NULL }, { 3, { 2, 150, 1 }, 300, NULL, NULL } };
	char want[4096], *nested, *to;
	struct tensor t;

	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len = 0;

		fill(&t, &cases[i], datatypes[_i]);
		for (size_t k = 0, next = 0, n = 0; k < t.count; k++) {
			char number[32];

			snprintf(number, sizeof(number), "%.7g", 1.5 * (double)k);
			if (k == next) {
				set_other(&t, k, n % COUNT(others));
				snprintf(number, sizeof(number), "%s", other_names[n % COUNT(others)]);
				n++;
				next += 1 + (n * n) % 60;
			}
			len += (size_t)snprintf(want + len, sizeof(want) - len, "%c%s", k == 0 ? '[' : ',', number);
		}
		snprintf(want + len, sizeof(want) - len, "]");
		check_tensor_by(json_tensor_read_any, &t, want);
		t.nested = true;
		check_tensor_by(json_tensor_read_any, &t, NULL);
		nested = read_blocks_by(json_tensor_read_any, &t, 1 << 20);
		to = nested;
		for (const char *from = nested; *from != '\0'; from++)
			if (strchr("[]", *from) == NULL)
				*to++ = *from;
		want[len] = '\0';
		ck_assert_int_eq(strncmp(nested, want + 1, (size_t)(to - nested)), 0);
		ck_assert_uint_eq((size_t)(to - nested), len - 1);
		free(nested);
		tensor_fini(&t);
	}
}
END_TEST

/* No text is longer than json_tensor_bytes_max says: neither those of the widest values nor of any bits. */
START_TEST(most_bytes)
{
	static const double wide[] = { -2.2250738585072014e-308, -1.7976931348623157e308, -1.2345678901234567e-5,
		-123456789012345678901.0, -0.1234567890123456789 };
	static const float wide_floats[] = { -1.17549435e-38f, -3.40282347e38f, -1.23456789e-5f, -1234567890123456.0f };
	uint64_t bits = 88172645463325252; /* Marsaglia's xorshift */
	char text[JSON_TENSOR_ROOM];
	double d;
	float f;

	for (size_t i = 0; i < COUNT(wide); i++)
		ck_assert_uint_le(decimal_write_f64(wide[i], text), DECIMAL_F64_TEXT);
	for (size_t i = 0; i < COUNT(wide_floats); i++)
		ck_assert_uint_le(decimal_write_f32(wide_floats[i], text), DECIMAL_F32_TEXT);
	for (unsigned half = 0; half < 0x7c00; half++)
		ck_assert_uint_le(decimal_write_f16((uint16_t)(half | 0x8000), text), DECIMAL_F16_TEXT);
	for (int i = 0; i < 200000; i++) {
		bits ^= bits << 13;
		bits ^= bits >> 7;
		bits ^= bits << 17;
		memcpy(&d, &bits, sizeof(d));
		memcpy(&f, &bits, sizeof(f));
		if (isfinite(d))
			ck_assert_uint_le(decimal_write_f64(d, text), DECIMAL_F64_TEXT);
		if (isfinite(f))
			ck_assert_uint_le(decimal_write_f32(f, text), DECIMAL_F32_TEXT);
	}
}
END_TEST

START_TEST(too_little_room)
{
	float value = 1;
	struct tensor t = { .datatype = DATATYPE_FP32, .rank = 1, .shape = { 1 }, .count = 1, .values = &value };
	struct json_tensor_cursor cursor = { 0 };
	char out[JSON_TENSOR_ROOM];

	ck_assert_uint_eq(json_tensor_read(&t, &cursor, out, sizeof(out) - 1), 0);
	ck_assert(!cursor.done);
	ck_assert_uint_eq(json_tensor_read(&t, &cursor, out, sizeof(out)), 3);
	ck_assert(cursor.done);
}
END_TEST

START_TEST(shape_text)
{
	static const size_t shape[] = { 2, 30, 0 };
	char text[160], little[6];

	ck_assert_str_eq(tensor_shape_text(shape, 3, text, sizeof(text)), "[2,30,0]");
	ck_assert_str_eq(tensor_shape_text(shape, 0, text, sizeof(text)), "[]");
	ck_assert_str_eq(tensor_shape_text(shape, 3, little, sizeof(little)), "[2,30");
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("json_write");
	TCase *tests = tcase_create("json_write");

	tcase_add_test(tests, doubles);
	tcase_add_test(tests, full_buffer);
	tcase_add_test(tests, head);
	tcase_add_loop_test(tests, every_tensor, 0, (int)COUNT(tensors));
	tcase_add_loop_test(tests, round_trip, 0, (int)COUNT(tensors));
	tcase_add_test(tests, least_room);
	tcase_add_loop_test(tests, not_finite, 0, 3);
	tcase_add_test(tests, most_bytes);
	tcase_add_test(tests, too_little_room);
	tcase_add_test(tests, shape_text);
	suite_add_tcase(suite, tests);
	return suite;
}
