/* SPDX-License-Identifier: MIT */
/* The envelope: what the scanner passes on, looked up; numbers to their last digit. */
#include "tests/unit/unit.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "codec/json_scan.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct json_slot slots[] = { { .key = "", .datatype = DATATYPE_FP32 },
	{ .key = "bias", .datatype = DATATYPE_FP64 } };

/* A scanner that has read `text`, which is valid; to be freed. */
static struct json_scan *
scan(const char *text)
{
	/* Without a slot a document that is a list is just that. */
	struct json_scan *s = json_scan_new(slots, text[0] == '[' ? 0 : COUNT(slots), 1000, NULL);
	struct err e;

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(json_scan_feed(s, text, strlen(text), &e), 0);
	ck_assert_int_eq(json_scan_finish(s, &e), 0);
	return s;
}

START_TEST(every_type)
{
	static const enum envelope_type types[] = { ENVELOPE_NULL, ENVELOPE_BOOL, ENVELOPE_BOOL, ENVELOPE_NUMBER,
		ENVELOPE_STRING, ENVELOPE_ARRAY, ENVELOPE_OBJECT };
	struct json_scan *s = scan("[null,true,false,-1,\"nst\",[1],{\"a\":1}]");
	const struct cJSON *v = envelope_first(json_scan_envelope(s));

	for (size_t i = 0; i < COUNT(types); i++) {
		ck_assert_int_eq(envelope_type(v), types[i]);
		v = envelope_next(v);
	}
	ck_assert_ptr_null(v);
	ck_assert_int_eq(envelope_type(NULL), ENVELOPE_ABSENT);
	ck_assert_str_eq(envelope_type_name(ENVELOPE_ABSENT), "nothing");
	ck_assert_str_eq(envelope_type_name(ENVELOPE_TENSOR), "a tensor");
	json_scan_free(s);
}
END_TEST

START_TEST(members)
{
	struct json_scan *s =
	    scan("{\"a\":{\"b\":\"x\\ny\"},\"A\":true,\"\":\"\",\"data\":[[1]],\"bias\":[2],\"n\":7}");
	const struct cJSON *root = json_scan_envelope(s);

	ck_assert_str_eq(envelope_text(envelope_get(envelope_get(root, "a"), "b")), "x\ny");
	ck_assert(envelope_bool(envelope_get(root, "A")));
	ck_assert_str_eq(envelope_text(envelope_get(root, "")), "");
	ck_assert_ptr_null(envelope_get(root, "b"));
	ck_assert_ptr_null(envelope_get(NULL, "a"));
	ck_assert_ptr_null(envelope_get(envelope_get(root, "A"), "a"));
	ck_assert_str_eq(envelope_key(envelope_first(root)), "a");
	ck_assert_int_eq(envelope_type(envelope_get(root, "data")), ENVELOPE_TENSOR);
	ck_assert_str_eq(envelope_text(envelope_get(root, "data")), "0");
	ck_assert_str_eq(envelope_text(envelope_get(root, "bias")), "1");
	ck_assert_str_eq(envelope_text(envelope_get(root, "n")), "7");
	ck_assert_ptr_null(envelope_first(envelope_get(root, "n")));
	ck_assert_ptr_null(envelope_first(NULL));
	json_scan_free(s);
}
END_TEST

/* A number's text, and whether and as what it is a whole number. */
struct integer_case {
	const char *text;
	bool is_uint64;
	uint64_t u;
	bool is_int64;
	int64_t i;
};

static const struct integer_case integers[] = {
	{ "0", true, 0, true, 0 },
	{ "-0", true, 0, true, 0 },
	{ "-0.0e5", true, 0, true, 0 },
	{ "0e999999999999999999999", true, 0, true, 0 },
	{ "3", true, 3, true, 3 },
	{ "3.0", true, 3, true, 3 },
	{ "3e2", true, 300, true, 300 },
	{ "1e3", true, 1000, true, 1000 },
	{ "1E+3", true, 1000, true, 1000 },
	{ "10e-1", true, 1, true, 1 },
	{ "1200e-2", true, 12, true, 12 },
	{ "1.20e1", true, 12, true, 12 },
	{ "0.00012e5", true, 12, true, 12 },
	{ "1.020", false, 0, false, 0 },
	{ "-1", false, 0, true, -1 },
	{ "-12e1", false, 0, true, -120 },
	{ "9007199254740993", true, UINT64_C(9007199254740993), true, INT64_C(9007199254740993) },
	{ "9007199254740993.000", true, UINT64_C(9007199254740993), true, INT64_C(9007199254740993) },
	{ "900719925474099.3e1", true, UINT64_C(9007199254740993), true, INT64_C(9007199254740993) },
	{ "9223372036854775807", true, INT64_MAX, true, INT64_MAX },
	{ "9223372036854775808", true, UINT64_C(1) << 63, false, 0 },
	{ "-9223372036854775808", false, 0, true, INT64_MIN },
	{ "-9223372036854775809", false, 0, false, 0 },
	{ "18446744073709551615", true, UINT64_MAX, false, 0 },
	{ "1.8446744073709551615e19", true, UINT64_MAX, false, 0 },
	{ "184467440737095516150000e-4", true, UINT64_MAX, false, 0 },
	{ "18446744073709551616", false, 0, false, 0 },
	{ "1e19", true, UINT64_C(10000000000000000000), false, 0 },
	{ "2e19", false, 0, false, 0 },
	{ "1e20", false, 0, false, 0 },
	{ "1e99999999999999999999", false, 0, false, 0 },
	{ "1e-99999999999999999999", false, 0, false, 0 },
	{ "1.5", false, 0, false, 0 },
	{ "1e-1", false, 0, false, 0 },
	{ "0.1", false, 0, false, 0 },
	{ "100000000000000000000000000000000e-32", true, 1, true, 1 },
	{ "\"3\"", false, 0, false, 0 },
	{ "true", false, 0, false, 0 },
	{ "null", false, 0, false, 0 },
	{ "[3]", false, 0, false, 0 },
};

START_TEST(every_integer)
{
	const struct integer_case *c = &integers[_i];
	struct json_scan *s = scan(c->text);
	uint64_t u = 1;
	int64_t i = 1;

	ck_assert_int_eq(envelope_uint64(json_scan_envelope(s), &u), c->is_uint64 ? 0 : -1);
	ck_assert_int_eq(envelope_int64(json_scan_envelope(s), &i), c->is_int64 ? 0 : -1);
	if (c->is_uint64)
		ck_assert_uint_eq(u, c->u);
	if (c->is_int64)
		ck_assert_int_eq(i, c->i);
	ck_assert_int_eq(envelope_uint64(NULL, &u), -1);
	json_scan_free(s);
}
END_TEST

START_TEST(doubles)
{
	struct json_scan *s = scan("[0.1,-1e-400,1e400,\"1\",null,5]");
	const struct cJSON *v = envelope_first(json_scan_envelope(s));
	double out;

	ck_assert_int_eq(envelope_double(v, &out), 0);
	ck_assert_double_eq(out, 0.1);
	v = envelope_next(v);
	ck_assert_int_eq(envelope_double(v, &out), 0);
	ck_assert_double_eq(out, 0);
	for (int i = 0; i < 3; i++) {
		v = envelope_next(v);
		ck_assert_int_eq(envelope_double(v, &out), -1);
	}
	ck_assert_int_eq(envelope_double(envelope_next(v), &out), 0);
	ck_assert_double_eq(out, 5);
	ck_assert_int_eq(envelope_double(NULL, &out), -1);
	json_scan_free(s);
}
END_TEST

START_TEST(absent_tensors)
{
	struct json_scan *s = scan("{\"mode\":\"train\"}");

	ck_assert_ptr_null(json_scan_tensor(s, 0));
	ck_assert_ptr_null(json_scan_tensor(s, 1));
	json_scan_free(s);
	json_scan_free(NULL);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("envelope");
	TCase *tests = tcase_create("envelope");

	tcase_add_test(tests, every_type);
	tcase_add_test(tests, members);
	tcase_add_loop_test(tests, every_integer, 0, (int)COUNT(integers));
	tcase_add_test(tests, doubles);
	tcase_add_test(tests, absent_tensors);
	suite_add_tcase(suite, tests);
	return suite;
}
