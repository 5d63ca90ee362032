/* SPDX-License-Identifier: MIT */
/*
 * A tensor's members in any order: the same bits, or the same refusal of the same number, as with the datatype and the
 * shape first. And numbers right between two neighbours of each type, and a hair beside that, read before and after
 * their datatype is known.
 */
#include "tests/unit/unit.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_scan.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNLIMITED ((size_t)1 << 30)

static const char *const names[] = { "FP32", "FP64", "FP16" };

/* The scanner of a document that was fed in two pieces, or NULL with the error. */
static struct json_scan *
scan_cut(const char *text, size_t cut, bool by_layer, enum datatype layer, struct err *e)
{
	static const struct json_slot slots[][2] = {
		{ { .key = "", .datatype = DATATYPE_FP32 }, { .key = "input", .datatype = DATATYPE_FP32 } },
		{ { .key = "", .datatype = DATATYPE_FP32, .by_layer = true },
		    { .key = "input", .datatype = DATATYPE_FP32, .by_layer = true } },
	};
	struct json_scan *s;
	const size_t len = strlen(text);
	char *first = malloc(cut + 1), *second = malloc(len - cut + 1);
	int result;

	s = json_scan_new(slots[by_layer], 2, UNLIMITED, NULL);
	ck_assert(s != NULL && first != NULL && second != NULL);
	memcpy(first, text, cut);
	memcpy(second, text + cut, len - cut);
	result = json_scan_feed(s, first, cut, e);
	if (result == 0)
		result = json_scan_feed(s, second, len - cut, e);
	if (result == 0)
		result = json_scan_finish(s, e);
	if (result == 0)
		result = json_scan_settle(s, layer, e);
	free(first);
	free(second);
	if (result == 0)
		return s;
	json_scan_free(s);
	return NULL;
}

static const struct tensor *
tensor_of(struct json_scan *s)
{
	const struct tensor *t = json_scan_tensor(s, 0);

	if (t == NULL)
		t = json_scan_tensor(s, 1);
	ck_assert_ptr_nonnull(t);
	return t;
}

static void
assert_same(const struct tensor *a, const struct tensor *b, const char *text)
{
	ck_assert_msg(a->datatype == b->datatype && a->rank == b->rank && a->count == b->count &&
		a->nested == b->nested && memcmp(a->shape, b->shape, a->rank * sizeof(a->shape[0])) == 0,
	    "%s", text);
	ck_assert_msg(
	    a->count == 0 || memcmp(a->values, b->values, a->count * datatype_size(a->datatype)) == 0, "%.200s", text);
}

/* The members in the order of digits such as "2013"; a space and a line's end here and there. */
static char *
write_members(const char *order, const char *const members[4], const char *before, const char *after)
{
	size_t len;
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);
	bool first = true;

	ck_assert_ptr_nonnull(out);
	fprintf(out, "%s{", before);
	for (; *order != '\0'; order++) {
		if (members[*order - '0'] == NULL)
			continue;
		fprintf(out, "%s%s", first ? "" : ",\n ", members[*order - '0']);
		first = false;
	}
	fprintf(out, "}%s", after);
	fclose(out);
	return text;
}

static const char *const orders[] = { "0123", "0132", "0213", "0231", "0312", "0321", "1023", "1032", "1203", "1230",
	"1302", "1320", "2013", "2031", "2103", "2130", "2301", "2310", "3012", "3021", "3102", "3120", "3201",
	"3210" };

static const struct {
	const char *shape;
	const char *data;
} tensors[] = {
	{ "\"shape\":[2,3]", "\"data\":[[1,-2.5,1e-3],[0.1,2049.00000000000000001,3]]" },
	{ "\"shape\":[2,3]", "\"data\":[1, -2.5,1e-3, 0.1,16777217,3]" },
	{ "\"shape\":[6,1]", "\"data\":[1,-2.5,1e-3,0.1,16777217.00000000001,3]" },
	{ NULL, "\"data\":[[1],[1700000001],[-0]]" },
	{ NULL, "\"data\":[1e-40,-1e-46,5e-8,2.98023223876953125e-8]" },
	{ "\"shape\":[0,3]", "\"data\":[]" },
	{ "\"shape\":[2]", "\"data\":[1,1e39]" },
	{ "\"shape\":[2,1]", "\"data\":[[-3.4028235677973366e38],[2]]" },
	{ NULL, "\"data\":[[1,2,3],[4, 65520,1e300]]" },
};

/* `order` of a tensor's members gives what the first order gives, wherever the input is cut. */
static void
check_order(size_t i, enum datatype datatype, const char *order, bool named, const char *before, const char *after)
{
	char named_datatype[32];
	const char *members[4] = { tensors[i].shape, named_datatype, tensors[i].data, "\"name\":\"x\"" };
	char *first, *text;
	struct json_scan *want, *got;
	struct err e = { 0 }, got_e;

	snprintf(named_datatype, sizeof(named_datatype), "\"datatype\":\"%s\"", names[datatype]);
	first = write_members("012", members, before, after);
	want = scan_cut(first, 0, true, DATATYPE_FP32, &e);
	if (!named)
		members[1] = NULL;
	text = write_members(order, members, before, after);
	for (size_t cut = 0; cut <= strlen(text); cut++) {
		got = scan_cut(text, cut, true, datatype, &got_e);
		ck_assert_msg((got == NULL) == (want == NULL), "%s", text);
		if (got != NULL) {
			assert_same(tensor_of(got), tensor_of(want), text);
		} else {
			ck_assert_msg(got_e.code == e.code && got_e.has_offset, "%s", text);
			ck_assert_msg(
			    strncmp(text + got_e.offset, first + e.offset, 5) == 0, "%s: %s", text, got_e.detail);
			ck_assert_ptr_nonnull(strstr(got_e.detail, "does not fit"));
		}
		json_scan_free(got);
	}
	json_scan_free(want);
	free(first);
	free(text);
}

START_TEST(every_order)
{
	static const char *const around[][2] = { { "", "" }, { "{\"input\":", "}" },
		{ "{\"a\":[1],\"input\":", ",\"b\":{\"data\":0}}" } };
	const size_t i = (size_t)_i % COUNT(tensors);
	const enum datatype datatype = (enum datatype)((size_t)_i / COUNT(tensors));

	for (size_t k = 0; k < COUNT(around); k++)
		for (size_t o = 0; o < COUNT(orders); o++) {
			check_order(i, datatype, orders[o], true, around[k][0], around[k][1]);
			/* What the layer says where the text says nothing. */
			check_order(i, datatype, orders[o], false, around[k][0], around[k][1]);
		}
}
END_TEST

/* A bare list is what it is as `data`. */
START_TEST(bare_lists)
{
	const enum datatype datatype = (enum datatype)((size_t)_i / COUNT(tensors));
	const char *data = tensors[(size_t)_i % COUNT(tensors)].data;
	const char *list = strchr(data, ':') + 1;
	char object[200];
	struct json_scan *want, *got;
	struct err e = { 0 }, list_e = { 0 };

	snprintf(object, sizeof(object), "{%s}", data);
	want = scan_cut(object, 0, true, datatype, &e);
	for (size_t cut = 0; cut <= strlen(list); cut++) {
		got = scan_cut(list, cut, true, datatype, &list_e);
		ck_assert((got == NULL) == (want == NULL));
		if (got != NULL)
			assert_same(tensor_of(got), tensor_of(want), list);
		else
			ck_assert_uint_eq(list_e.offset + 8, e.offset);
		json_scan_free(got);
	}
	json_scan_free(want);
}
END_TEST

/* xorshift64* (Vigna 2016): the same numbers in every run. */
static uint64_t
random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* The middle of two neighbours of a binary format whose bits are `bits` and one more; both are finite. */
static double
middle(uint64_t bits, int fraction_bits, int bias)
{
	const uint64_t fraction = bits & ((UINT64_C(1) << fraction_bits) - 1), exponent = bits >> fraction_bits;
	const uint64_t significand = exponent > 0 ? fraction | UINT64_C(1) << fraction_bits : fraction;

	return ldexp((double)(2 * significand + 1), (int)(exponent > 0 ? exponent : 1) - bias - fraction_bits - 1);
}

/* Exactly `value`, or a hair above (1) or below (-1) it in size: all digits, and more. */
static void
write_beside(FILE *out, double value, int side, unsigned zeros)
{
	char digits[1200], *exponent;
	size_t len;

	snprintf(digits, sizeof(digits), "%.900e", value);
	exponent = strchr(digits, 'e');
	len = (size_t)(exponent - digits);
	while (digits[len - 1] == '0')
		len--;
	len -= digits[len - 1] == '.';
	fprintf(out, "%.*s", (int)(len - (side < 0)), digits);
	if (side < 0)
		fputc(digits[len - 1] - 1, out);
	if (side != 0 && len == 1)
		fputc('.', out);
	for (unsigned i = 0; side != 0 && i < zeros; i++)
		fputc(side < 0 ? '9' : '0', out);
	if (side != 0)
		fputc(side < 0 ? '9' : '1', out);
	fputs(exponent, out);
}

/* A number of any kind that fits `datatype`. */
static void
write_number(FILE *out, enum datatype datatype, uint64_t *state)
{
	const uint64_t r = random_next(state);
	const double scale = datatype == DATATYPE_FP16 ? 60000 : 1e30;
	const double uniform = (double)(r >> 11) * 0x1p-53;

	if (r & 1024)
		fputc('-', out);
	switch (r % 8) {
	case 0:
		write_beside(
		    out, middle(random_next(state) % 0x7bff, 10, 15), (int)(r / 8 % 3) - 1, (unsigned)(r / 32 % 30));
		break;
	case 1:
	case 2:
		write_beside(out,
		    middle(random_next(state) % (datatype == DATATYPE_FP16 ? 0x47000000 : 0x7f7fffff), 23, 127),
		    (int)(r / 8 % 3) - 1, (unsigned)(r / 32 % 30));
		break;
	case 3:
		fprintf(out, "%.17g", uniform * scale);
		break;
	case 4:
		fprintf(out, "%.*f", (int)(r / 8 % 15), uniform * 100);
		break;
	case 5:
		fprintf(out, "%u", (unsigned)(r >> 48) % 65504);
		break;
	case 6:
		fprintf(out, "%.*g", (int)(1 + r / 8 % 20), ldexp(uniform, -(int)(r / 256 % 1080)));
		break;
	default:
		/* 15 digits near the midpoints of floats between 1 and 2: the ordinary number's worst case. */
		fprintf(
		    out, "%.*f", 13 + (int)(r / 8 % 2), middle(0x3f800000 + (random_next(state) & 0x7fffff), 23, 127));
	}
}

#define RANDOM_NUMBERS 60000

/* Many numbers of all kinds, in pieces of the input that cut some of them. */
START_TEST(random_numbers)
{
	const enum datatype datatype = (enum datatype)_i;
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)_i;
	size_t len;
	char *list = NULL, *early, *late;
	FILE *out = open_memstream(&list, &len);
	struct json_scan *want, *got;
	struct err e = { 0 };

	ck_assert_ptr_nonnull(out);
	for (size_t i = 0; i < RANDOM_NUMBERS; i++) {
		fputs(i > 0 ? "," : "", out);
		write_number(out, datatype, &state);
	}
	fclose(out);
	ck_assert_int_gt(asprintf(&early, "{\"datatype\":\"%s\",\"data\":[%s]}", names[datatype], list), 0);
	ck_assert_int_gt(asprintf(&late, "{\"data\":[%s],\"datatype\":\"%s\"}", list, names[datatype]), 0);
	want = scan_cut(early, 0, false, DATATYPE_FP32, &e);
	ck_assert_msg(want != NULL, "%s", e.detail);
	ck_assert_uint_eq(tensor_of(want)->count, RANDOM_NUMBERS);
	for (size_t cut = 0; cut < 8; cut++) {
		got = scan_cut(late, random_next(&state) % strlen(late), false, DATATYPE_FP32, &e);
		ck_assert_msg(got != NULL, "%s", e.detail);
		assert_same(tensor_of(got), tensor_of(want), late);
		json_scan_free(got);
	}
	json_scan_free(want);
	free(list);
	free(early);
	free(late);
}
END_TEST

/* Every midpoint between two float16, subnormal ones too, exactly and a hair to either side of it. */
START_TEST(every_midpoint_of_float16)
{
	const int side = _i - 1;
	size_t len;
	char *list = NULL, *early, *late;
	FILE *out = open_memstream(&list, &len);
	struct json_scan *want, *got;
	struct err e = { 0 };

	ck_assert_ptr_nonnull(out);
	for (uint64_t bits = 0; bits < 0x7bff; bits++) {
		fputs(bits > 0 ? "," : "", out);
		write_beside(out, middle(bits, 10, 15), side, 25);
	}
	fclose(out);
	ck_assert_int_gt(asprintf(&early, "{\"datatype\":\"FP16\",\"data\":[%s]}", list), 0);
	ck_assert_int_gt(asprintf(&late, "{\"data\":[%s],\"datatype\":\"FP16\"}", list), 0);
	want = scan_cut(early, 0, false, DATATYPE_FP32, &e);
	got = scan_cut(late, 0, false, DATATYPE_FP32, &e);
	ck_assert(want != NULL && got != NULL);
	assert_same(tensor_of(got), tensor_of(want), "float16");
	for (size_t i = 0; i < 0x7bff; i++)
		ck_assert_uint_eq(((const uint16_t *)tensor_of(want)->values)[i],
		    side < 0     ? i :
			side > 0 ? i + 1 :
				   (i + 1) / 2 * 2);
	json_scan_free(want);
	json_scan_free(got);
	free(list);
	free(early);
	free(late);
}
END_TEST

/* A late datatype that makes the tensors larger than they may be is refused, one that makes them smaller is not. */
START_TEST(limit)
{
	static const struct json_slot slot = { .key = "", .datatype = DATATYPE_FP32 };
	static const char *const good[] = { "{\"data\":[1,2,3,4]}", "{\"data\":[1,2],\"datatype\":\"FP64\"}",
		"{\"data\":[1,2,3,4],\"datatype\":\"FP16\"}" };
	static const char bad[] = "{\"data\":[1,2,3,4],\"datatype\":\"FP64\"}";
	struct json_scan *s;
	struct err e = { 0 };

	for (size_t i = 0; i < COUNT(good); i++) {
		s = json_scan_new(&slot, 1, 16, NULL);
		ck_assert_int_eq(json_scan_feed(s, good[i], strlen(good[i]), &e), 0);
		ck_assert_int_eq(json_scan_finish(s, &e), 0);
		ck_assert_int_eq(json_scan_settle(s, DATATYPE_FP32, &e), 0);
		json_scan_free(s);
	}
	s = json_scan_new(&slot, 1, 16, NULL);
	ck_assert_int_eq(json_scan_feed(s, bad, strlen(bad), &e), -1);
	ck_assert_int_eq(e.code, ERR_BODY_TOO_LARGE);
	ck_assert_uint_eq(e.offset, strlen("{\"data\":[1,2,3,4],\"datatype\":"));
	json_scan_free(s);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("json_orders");
	TCase *orders_case = tcase_create("orders"), *numbers = tcase_create("numbers");

	tcase_set_timeout(orders_case, 120);
	tcase_add_loop_test(orders_case, every_order, 0, (int)(COUNT(tensors) * COUNT(names)));
	tcase_add_loop_test(orders_case, bare_lists, 0, (int)(COUNT(tensors) * COUNT(names)));
	tcase_add_test(orders_case, limit);
	suite_add_tcase(suite, orders_case);
	tcase_set_timeout(numbers, 120);
	tcase_add_loop_test(numbers, random_numbers, 0, (int)COUNT(names));
	tcase_add_loop_test(numbers, every_midpoint_of_float16, 0, 3);
	suite_add_tcase(suite, numbers);
	return suite;
}
