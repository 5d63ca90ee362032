/* SPDX-License-Identifier: MIT */
/* codec/form.h: what every form must do; a new row is tested here without a line. */
#include "codec/form.h"

#include <check.h>
#include <string.h>

#include "codec/body.h"
#include "unit.h"

static const struct json_slot slots[] = { { .key = "", .datatype = DATATYPE_FP32 },
	{ .key = "second", .datatype = DATATYPE_FP32 } };

static struct body *
begin_body(enum form form, size_t tensors)
{
	struct body *b = body_new(&(struct body_options){
	    .form = form, .slots = slots, .slot_count = 2, .tensors = tensors, .bytes_max = 1 << 20 });

	ck_assert_ptr_nonnull(b);
	return b;
}

/* The answer as a client gets it. */
static void
write_answer(enum form form, const struct tensor *t, struct buf *out)
{
	const struct form_ops *ops = form_ops(form);
	struct json_tensor_cursor cursor = { 0 };
	char *room;

	buf_init(out, SIZE_MAX);
	ops->begin(out, t);
	if (ops->values == NULL)
		buf_add(out, t->values, t->count * datatype_size(t->datatype));
	while (ops->values != NULL && !cursor.done && (room = buf_reserve(out, JSON_TENSOR_ROOM)) != NULL)
		out->len += ops->values(t, &cursor, room, out->size - out->len);
	if (ops->document)
		buf_byte(out, '}');
	ck_assert(!out->failed);
}

/* What is written in a form is what is read from it, bit for bit, also when it comes byte by byte. */
START_TEST(a_tensor_comes_back)
{
	const enum form form = (enum form)(_i / DATATYPE_COUNT);
	const enum datatype datatype = (enum datatype)(_i % DATATYPE_COUNT);
	unsigned char values[6 * sizeof(double)] = { 0 };
	struct tensor t = {
		.datatype = datatype, .nested = true, .rank = 2, .shape = { 2, 3 }, .count = 6, .values = values
	};
	const struct tensor *back;
	struct body *b;
	struct buf text;
	struct err e = { 0 };
	size_t taken;

	if (form_ops(form)->by_route)
		return; /* test_oip.c */
	if (!form_in(form_holding(datatype) & form_carrying(1), form))
		return;
	for (size_t i = 0; i < 6; i++) /* some finite number of each type: its two highest bytes */
		memcpy(values + (i + 1) * datatype_size(datatype) - 2, (const char[]){ (char)(16 * i), 0x3c }, 2);
	write_answer(form, &t, &text);
	b = begin_body(form, 1);
	for (size_t i = 0; i < text.len; i++)
		ck_assert_msg(
		    body_feed(b, text.bytes + i, 1, &taken, &e) == 0, "%s: %s", form_ops(form)->media_type, e.detail);
	ck_assert_msg(body_finish(b, &e) == 0 && body_settle(b, DATATYPE_FP32, &e) == 0, "%s", e.detail);
	back = body_tensor(b, 0);
	ck_assert_ptr_nonnull(back);
	ck_assert_int_eq(back->datatype, datatype);
	ck_assert_uint_eq(back->rank, 2);
	ck_assert_mem_eq(back->shape, t.shape, 2 * sizeof(t.shape[0]));
	ck_assert_mem_eq(back->values, values, 6 * datatype_size(datatype));
	ck_assert((body_envelope(b) != NULL) == form_ops(form)->document);
	body_free(b);
	buf_fini(&text);
}
END_TEST

/* Nothing, and what is of no form, is refused with the code of the form that was announced. */
START_TEST(what_is_damaged_has_the_forms_code)
{
	const char *const texts[] = { "", "?", "\x93NUMPX" };
	struct body *b = begin_body((enum form)(_i / 3), 2);
	struct err e = { 0 };
	size_t taken;

	if (body_feed(b, texts[_i % 3], strlen(texts[_i % 3]), &taken, &e) == 0)
		ck_assert_int_eq(body_finish(b, &e), -1);
	ck_assert_int_eq(e.code, form_ops((enum form)(_i / 3))->damaged);
	body_free(b);
}
END_TEST

/* A form that has nothing beside tensors is none where there are no tensors; a document always is one. */
START_TEST(sets_of_forms)
{
	char text[FORM_LIST_BYTES];

	ck_assert(form_in(form_carrying(0), FORM_JSON));
	for (unsigned form = 0; form < FORM_COUNT; form++) {
		ck_assert(form_in(form_carrying(0), form) == (form_ops(form)->document && !form_ops(form)->by_route));
		ck_assert(form_in(form_carrying(1), form) == !form_ops(form)->by_route);
		ck_assert_str_eq(form_list(1u << form, text), form_ops(form)->media_type);
	}
	ck_assert_str_eq(form_list(0, text), "");
	ck_assert_str_eq(form_list(1u << FORM_JSON | 1u << FORM_NPY, text), "application/json and application/x-npy");
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("form");
	TCase *all = tcase_create("form");

	tcase_add_loop_test(all, a_tensor_comes_back, 0, (int)FORM_COUNT * DATATYPE_COUNT);
	tcase_add_loop_test(all, what_is_damaged_has_the_forms_code, 0, 3 * FORM_COUNT);
	tcase_add_test(all, sets_of_forms);
	suite_add_tcase(suite, all);
	return suite;
}
