/* SPDX-License-Identifier: MIT */
/* Options of each type, in the query, in the body, in both, and wrong; names that a route does not have. */
#include "tests/unit/unit.h"

#include <string.h>

#include "handlers/option.h"
#include "handlers/routes.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct input flag = { "flag", INPUT_BOOL, .places = INPUT_ANYWHERE };
static const struct input either = { "either", INPUT_BOOL, INPUT_ANYWHERE, .both = true };
static const struct input big = { "big", INPUT_UINT, INPUT_ANYWHERE, .max = UINT64_MAX };
static const struct input few = { "few", INPUT_UINT, INPUT_ANYWHERE, .min = 1, .max = 9 };
static const struct input needed = { "needed", INPUT_UINT, INPUT_BODY, .max = INT64_MAX, .needed = true };
static const struct input mode = { "mode", INPUT_CHOICE, INPUT_ANYWHERE,
	.choices = (const char *const[]){ "train", "infer", NULL } };
static const struct input share = { "share", INPUT_NUMBER, .places = INPUT_ANYWHERE };
static const struct input list = { "list", INPUT_UINTS, INPUT_ANYWHERE, .max = 9 };
static const struct input object = { "object", INPUT_OBJECT, .places = INPUT_ANYWHERE };
static const struct input nested = { "nested", INPUT_UINT, INPUT_BODY, "object", .max = 9 };
static const struct input mask = { "mask", INPUT_TENSOR, INPUT_ANYWHERE, .datatype = DATATYPE_BOOL };
static const struct input only_query = { "page", INPUT_TEXT, .places = INPUT_QUERY };

static const struct input *const inputs[] = { &flag, &tensor_input, &either, &big, &few, &needed, &mode, &share, &list,
	&object, &mask, &only_query, NULL };
static const struct route route = ROUTE("POST", "/", OPEN, .inputs = inputs, .body = BODY_INPUTS);

static struct budget memory;
static struct request rq;

/* Begins a request with one query parameter (`name` NULL: none) and a body. */
static void
begin(const char *name, const char *value, const char *body)
{
	size_t taken;

	budget_init(&memory, 1 << 20);
	request_init(&rq, NULL, NULL, NULL, &memory, 10000);
	rq.route = &route;
	rq.query[0] = (struct query_item){ name, value };
	rq.query_count = name != NULL;
	ck_assert_msg(request_body(&rq, body, strlen(body), &taken) == 0, "%s", rq.err.detail);
	ck_assert_msg(request_body_end(&rq) == 0, "%s", rq.err.detail);
	ck_assert_int_eq(body_settle(rq.body, DATATYPE_FP32, &rq.err), 0);
}

#define UNTOUCHED 77

START_TEST(values)
{
	static const struct {
		const struct input *in;
		const char *text, *body; /* the query's value, or NULL */
		uint64_t value;
	} cases[] = {
		{ &flag, NULL, "{}", UNTOUCHED },
		{ &flag, "", "{}", true },
		{ &flag, "true", "{}", true },
		{ &flag, "False", "{}", false },
		{ &flag, "0", "{}", false },
		{ &flag, NULL, "{\"flag\":true}", true },
		{ &flag, NULL, "{\"flag\":false}", false },
		{ &flag, NULL, "{\"flag\":null}", UNTOUCHED },
		{ &flag, "1", "{\"flag\":null}", true },
		{ &flag, NULL, "[1,2]", UNTOUCHED },
		{ &either, "true", "{\"either\":true}", true },
		{ &either, "true", "{\"either\":false}", false },
		{ &either, "false", "{\"either\":true}", false },
		{ &big, "0", "{}", 0 },
		{ &big, "18446744073709551615", "{}", UINT64_MAX },
		{ &big, NULL, "{\"big\":18446744073709551615}", UINT64_MAX },
		{ &big, NULL, "{\"big\":3e2}", 300 },
		{ &few, "1", "{}", 1 },
		{ &few, "9", "{}", 9 },
		{ &needed, NULL, "{\"needed\":9223372036854775807}", INT64_MAX },
		{ &mode, NULL, "{}", UNTOUCHED },
		{ &mode, "train", "{}", 0 },
		{ &mode, NULL, "{\"mode\":\"infer\"}", 1 },
		{ &mode, "infer", "[1,2]", 1 },
	};
	struct err e = { 0 };

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t value = UNTOUCHED;

		begin(cases[i].text != NULL ? cases[i].in->name : NULL, cases[i].text, cases[i].body);
		ck_assert_msg(option_get(&rq, cases[i].in, &value, &e) == 0, "%zu: %s", i, e.detail);
		ck_assert_msg(value == cases[i].value, "%zu: %llu", i, (unsigned long long)value);
		request_fini(&rq);
	}
}
END_TEST

START_TEST(numbers)
{
	static const struct {
		const char *text, *body;
		double value;
	} cases[] = { { NULL, "{}", 7.5 }, { "0.1", "{}", 0.1 }, { "1e-9", "{}", 1e-9 }, { "3", "[1]", 3 },
		{ NULL, "{\"share\":0.25}", 0.25 }, { NULL, "{\"share\":null}", 7.5 } };
	struct err e = { 0 };

	for (size_t i = 0; i < COUNT(cases); i++) {
		double value = 7.5;

		begin(cases[i].text != NULL ? "share" : NULL, cases[i].text, cases[i].body);
		ck_assert_msg(option_get_number(&rq, &share, &value, &e) == 0, "%zu: %s", i, e.detail);
		ck_assert(value == cases[i].value);
		request_fini(&rq);
	}
}
END_TEST

#define TWENTY "12345678901234567890"
#define EIGHTY TWENTY TWENTY TWENTY TWENTY

START_TEST(wrong_values)
{
	static const struct {
		const struct input *in;
		const char *text, *body, *detail;
	} cases[] = {
		{ &flag, "yes", "{}", "\"flag\" must be true or false; it is \"yes\"" },
		{ &flag, NULL, "{\"flag\":1}", "\"flag\" must be true or false; it is 1" },
		{ &flag, "true", "{\"flag\":true}", "\"flag\" is given both in the query and in the body" },
		{ &either, "true", "{\"either\":\"no\"}", "\"either\" must be true or false; it is \"no\"" },
		{ &either, "no", "{\"either\":true}", "\"either\" must be true or false; it is \"no\"" },
		{ &big, "", "{}", "\"big\" must be a whole number from 0 to 2^64 - 1; it is \"\"" },
		{ &big, "18446744073709551616", "{}",
		    "\"big\" must be a whole number from 0 to 2^64 - 1; it is \"18446744073709551616\"" },
		{ &big, "-1", "{}", "it is \"-1\"" },
		{ &big, "1 ", "{}", "it is \"1 \"" },
		{ &big, "3e2", "{}", "it is \"3e2\"" },
		{ &big, NULL, "{\"big\":-1}", "it is -1" },
		{ &big, NULL, "{\"big\":\"1\"}", "it is \"1\"" },
		{ &big, "1", "{\"big\":1}", "\"big\" is given both in the query and in the body" },
		{ &few, "0", "{}", "\"few\" must be a whole number from 1 to 9; it is \"0\"" },
		{ &few, NULL, "{\"few\":10}", "\"few\" must be a whole number from 1 to 9; it is 10" },
		{ &share, "0", "{}", "\"share\" must be a number above 0; it is \"0\"" },
		{ &share, "-0.1", "{}", "it is \"-0.1\"" },
		{ &share, "", "{}", "it is \"\"" },
		{ &share, "0.1x", "{}", "it is \"0.1x\"" },
		{ &share, ".1", "{}", "it is \".1\"" },
		{ &share, "NaN", "{}", "it is \"NaN\"" },
		{ &share, "1e999", "{}", "it is \"1e999\"" },
		{ &share, NULL, "{\"share\":0}", "\"share\" must be a number above 0; it is 0" },
		{ &share, NULL, "{\"share\":true}", "it is true" },
		{ &needed, NULL, "{}", "the body has no \"needed\", which must be a whole number from 0 to 2^63 - 1" },
		{ &needed, NULL, "{\"needed\":9223372036854775808}", "it is 9223372036854775808" },
		{ &mode, "tran", "{}",
		    "\"mode\" must be \"train\" or \"infer\"; it is \"tran\"; did you mean \"train\"?" },
		{ &flag, EIGHTY, "{}", "it is \"" EIGHTY "\"" },
		{ &flag, EIGHTY "x", "{}", "it is \"" EIGHTY "...\"" },
		{ &mode, NULL, "{\"mode\":\"\"}", "\"mode\" must be \"train\" or \"infer\"; it is \"\"" },
		{ &mode, NULL, "{\"mode\":7}", "it is 7" },
		{ &mode, "train", "{\"mode\":\"infer\"}", "\"mode\" is given both in the query and in the body" },
	};
	struct err e;

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t value = UNTOUCHED;

		begin(cases[i].text != NULL ? cases[i].in->name : NULL, cases[i].text, cases[i].body);
		ck_assert_int_eq(option_get(&rq, cases[i].in, &value, &e), -1);
		ck_assert_int_eq(e.code, ERR_BAD_PARAMETER);
		ck_assert_msg(strstr(e.detail, cases[i].detail) != NULL, "%zu: %s", i, e.detail);
		ck_assert_uint_eq(value, UNTOUCHED);
		request_fini(&rq);
	}
}
END_TEST

/* Values of a list, as digits of a number. */
static int
take_digit(void *arg, size_t at, uint64_t value, struct err *e)
{
	uint64_t *digits = arg;

	if (at == 5)
		return err_fail(e, ERR_SHAPE_MISMATCH, "too many");
	*digits = 10 * *digits + value;
	return 0;
}

START_TEST(lists)
{
	static const struct {
		const struct input *in;
		const char *text, *body;
		uint64_t digits;
		size_t count;
		const char *detail; /* NULL: it is a list */
	} cases[] = {
		{ &list, "3", "{}", 3, 1, NULL },
		{ &list, "3,0,9", "{}", 309, 3, NULL },
		{ &list, NULL, "{\"list\":[1,2.0,3]}", 123, 3, NULL },
		{ &list, NULL, "{\"list\":[]}", 0, 0, NULL },
		{ &mask, "true,0,1", "{}", 101, 3, NULL },
		{ &list, "", "{}", 0, 0, "value 0 of \"list\" must be a whole number from 0 to 9; it is \"\"" },
		{ &list, "1,,2", "{}", 0, 0, "value 1 of \"list\" must be a whole number from 0 to 9; it is \"\"" },
		{ &list, "1,2,", "{}", 0, 0, "value 2 of \"list\"" },
		{ &list, "1,10", "{}", 0, 0, "value 1 of \"list\" must be a whole number from 0 to 9; it is \"10\"" },
		{ &list, "1,1,1,1,1,1", "{}", 0, 0, "too many" },
		{ &list, NULL, "{\"list\":[1,\"2\"]}", 0, 0, "value 1 of \"list\" must be" },
		{ &list, NULL, "{\"list\":3}", 0, 0, "\"list\" must be a list of whole numbers; it is 3" },
		{ &list, NULL, "{\"list\":{\"0\":3}}", 0, 0, "Array.from(array)" },
		{ &mask, "1,,1", "{}", 0, 0, "value 1 of \"mask\" must be true or false, or 1 or 0; it is \"\"" },
	};
	struct option o;
	struct err e = { 0 };
	size_t count;

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t digits = 0;
		int result;

		begin(cases[i].text != NULL ? cases[i].in->name : NULL, cases[i].text, cases[i].body);
		ck_assert_int_eq(option_find(&rq, cases[i].in, &o, &e), 0);
		result = option_read_list(cases[i].in, &o, take_digit, &digits, &count, &e);
		ck_assert_msg((result == 0) == (cases[i].detail == NULL), "%zu: %s", i, e.detail);
		if (result == 0)
			ck_assert_msg(digits == cases[i].digits && count == cases[i].count, "%zu", i);
		else
			ck_assert_msg(strstr(e.detail, cases[i].detail) != NULL, "%zu: %s", i, e.detail);
		request_fini(&rq);
	}
}
END_TEST

static int
read_nested(void *arg, const struct cJSON *value, struct err *e)
{
	return option_get_member(value, &nested, arg, e);
}

START_TEST(objects)
{
	static const struct {
		const char *text, *body;
		uint64_t value;
		const char *detail;
	} cases[] = {
		{ "{\"nested\":3}", "{}", 3, NULL },
		{ NULL, "{\"object\":{\"nested\":4}}", 4, NULL },
		{ NULL, "{\"object\":{}}", UNTOUCHED, NULL },
		{ "{\"nested\":", "{}", 0, "\"object\" in the query is not valid JSON: " },
		{ "", "{}", 0, "\"object\" in the query is not valid JSON: " },
		{ "{\"nested\":true}", "{}", 0, "\"object.nested\" must be a whole number from 0 to 9; it is true" },
		{ NULL, "{\"object\":{\"nested\":10}}", 0, "\"object.nested\" must be" },
	};
	struct option o;
	struct err e = { 0 };

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t value = UNTOUCHED;
		int result;

		begin(cases[i].text != NULL ? "object" : NULL, cases[i].text, cases[i].body);
		ck_assert_int_eq(option_find(&rq, &object, &o, &e), 0);
		result = option_read_object(&object, &o, read_nested, &value, &e);
		ck_assert_msg((result == 0) == (cases[i].detail == NULL), "%zu: %s", i, e.detail);
		if (result == 0) {
			ck_assert_uint_eq(value, cases[i].value);
		} else {
			ck_assert_int_eq(e.code, ERR_BAD_PARAMETER);
			ck_assert(!e.has_offset);
			ck_assert_msg(strstr(e.detail, cases[i].detail) != NULL, "%zu: %s", i, e.detail);
		}
		request_fini(&rq);
	}
}
END_TEST

START_TEST(names)
{
	static const struct {
		const char *query, *body, *detail; /* NULL: all names are known */
	} cases[] = {
		{ "page", "{\"data\":[1],\"shape\":[1],\"datatype\":\"FP64\",\"mask\":[1]}", NULL },
		{ "flag", "[1]", NULL },
		{ NULL, "{\"page\":1}", "\"page\" is not a member of the body of this call" },
		{ NULL, "{\"shapes\":1}", "of this call; did you mean \"shape\"?" },
		{ NULL, "{\"nested\":1}", "\"nested\" is not a member of the body of this call" },
		{ NULL, "3", "the body of this call must be an object, not a number" },
		{ "data", "{}", "\"data\" is not a query parameter of this call" },
		{ "Flag", "{}", "\"Flag\" is not a query parameter of this call; did you mean \"flag\"?" },
	};
	struct err e = { 0 };

	for (size_t i = 0; i < COUNT(cases); i++) {
		int result;

		begin(cases[i].query, "", cases[i].body);
		result = inputs_check_query(&rq, &e) < 0 ? -1 : inputs_check_body(&rq, &e);
		ck_assert_msg((result == 0) == (cases[i].detail == NULL), "%zu: %s", i, e.detail);
		if (result < 0)
			ck_assert_msg(strstr(e.detail, cases[i].detail) != NULL, "%zu: %s", i, e.detail);
		request_fini(&rq);
	}
}
END_TEST

START_TEST(a_parameter_comes_once)
{
	struct err e = { 0 };

	begin("flag", "1", "{}");
	rq.query[rq.query_count++] = (struct query_item){ "big", "1" };
	ck_assert_int_eq(inputs_check_query(&rq, &e), 0);
	rq.query[rq.query_count++] = (struct query_item){ "flag", "1" };
	ck_assert_int_eq(inputs_check_query(&rq, &e), -1);
	ck_assert_str_eq(e.detail, "\"flag\" is given twice in the query");
	request_fini(&rq);
}
END_TEST

/* By their place in the list, whatever stands between them. */
START_TEST(tensors)
{
	struct tensor *t;
	struct err e = { 0 };

	begin(NULL, NULL, "{\"mask\":[true,false,true],\"data\":[1,2]}");
	ck_assert_uint_eq(input_tensor(&rq, &tensor_input)->count, 2);
	ck_assert_uint_eq(input_tensor(&rq, &mask)->count, 3);
	request_fini(&rq);
	begin(NULL, NULL, "{\"mask\":[1]}");
	ck_assert_ptr_null(input_tensor(&rq, &tensor_input));
	ck_assert_int_eq(input_need_tensor(&rq, &tensor_input, &t, &e), -1);
	ck_assert_int_eq(e.code, ERR_BAD_TENSOR);
	ck_assert_str_eq(e.detail, "the body has no \"data\"");
	request_fini(&rq);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("option");
	TCase *all = tcase_create("options");

	tcase_add_test(all, values);
	tcase_add_test(all, numbers);
	tcase_add_test(all, wrong_values);
	tcase_add_test(all, lists);
	tcase_add_test(all, objects);
	tcase_add_test(all, names);
	tcase_add_test(all, a_parameter_comes_once);
	tcase_add_test(all, tensors);
	suite_add_tcase(suite, all);
	return suite;
}
