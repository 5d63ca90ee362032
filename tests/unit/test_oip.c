/* SPDX-License-Identifier: MIT */
/* codec/oip.h: bodies of the Open Inference Protocol, cut at every place; what is refused, and where; the memory. */
#include "codec/oip.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/body.h"
#include "codec/oip_small.h"
#include "tests/unit/oip_corpus.h"
#include "tests/unit/unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A body as it is sent. */
struct sent {
	char *bytes;
	size_t len;
	size_t header;    /* bytes of the document, if they are announced */
	size_t bytes_max; /* the limit of the body */
};

/* Takes the mark out of the document, which is at *mark then. To be freed. */
static struct sent
sent_of(const struct oip_body *body, size_t *mark)
{
	const char *at = strchr(body->document, '@');
	size_t len = strlen(body->document);
	struct sent s = { .bytes = malloc(len + body->len + 1), .bytes_max = OIP_BYTES_MAX };

	ck_assert_ptr_nonnull(s.bytes);
	memcpy(s.bytes, body->document, len);
	*mark = len;
	if (at != NULL) {
		*mark = (size_t)(at - body->document);
		memmove(s.bytes + *mark, at + 1, --len - *mark);
	}
	memcpy(s.bytes + len, body->bytes, body->len);
	s.len = len + body->len;
	s.header = body->header ? len : 0;
	return s;
}

static struct body *
new_body(const struct sent *s, struct budget_share *memory)
{
	struct body *b = body_new(&(struct body_options){
	    .form = FORM_OIP, .bytes_max = s->bytes_max, .header_bytes = s->header, .memory = memory });

	ck_assert_ptr_nonnull(b);
	return b;
}

/* Feeds the first `len` bytes: `first` of them, and then `piece` at a time, each piece a block of its own. */
static int
feed(struct body *b, const struct sent *s, size_t len, size_t first, size_t piece, struct err *e)
{
	size_t n, taken;
	int result = 0;

	for (size_t at = 0; at < len && result == 0; at += n) {
		char *copy;

		n = at == 0 && first > 0 ? first : piece;
		n = n < len - at ? n : len - at;
		copy = malloc(n);
		ck_assert_ptr_nonnull(copy);
		memcpy(copy, s->bytes + at, n);
		result = body_feed(b, copy, n, &taken, e);
		ck_assert_uint_eq(taken, n);
		free(copy);
	}
	return result;
}

static void
print_value(FILE *out, const struct tensor *t, size_t i)
{
	const uint16_t *bits = t->values;

	if (datatype_size(t->datatype) == sizeof(*bits))
		fprintf(out, "%s0x%04x", i > 0 ? " " : "", bits[i]);
	else
		fprintf(out, "%s%.17g", i > 0 ? " " : "",
		    t->datatype == DATATYPE_FP32 ? (double)((const float *)t->values)[i] :
						   ((const double *)t->values)[i]);
}

static void
print_inputs(FILE *out, const struct body *b)
{
	size_t count;
	const struct oip_input *inputs = body_inputs(b, &count);
	char shape[200];

	for (size_t i = 0; i < count; i++) {
		const struct tensor *t = inputs[i].tensor;

		fprintf(out, "%s%s=%s%s%s:", i > 0 ? " " : "", inputs[i].name, datatype_name(t->datatype),
		    tensor_shape_text(t->shape, t->rank, shape, sizeof(shape)),
		    inputs[i].binary ? "binary" :
			t->nested    ? "nested" :
				       "flat");
		ck_assert((t->values == NULL) == (t->count == 0));
		for (size_t k = 0; k < t->count; k++)
			print_value(out, t, k);
	}
}

/* What becomes of a body: its inputs, or the error's code, offset and detail. To be freed. */
static char *
outcome(const struct sent *s, size_t first, size_t piece)
{
	struct body *b = new_body(s, NULL);
	struct err e = { 0 };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	if (feed(b, s, s->len, first, piece, &e) < 0 || body_finish(b, &e) < 0 || body_settle(b, DATATYPE_FP16, &e) < 0)
		fprintf(
		    out, "%s at %lld: %s", err_row(e.code)->code, e.has_offset ? (long long)e.offset : -1, e.detail);
	else
		print_inputs(out, b);
	fclose(out);
	body_free(b);
	return text;
}

/* The body's outcome, having seen that every cut gives the same. To be freed. */
static char *
outcome_of_cuts(const struct sent *s)
{
	char *whole = outcome(s, 0, s->len + 1), *cut;

	for (size_t i = 1; i < s->len; i++) {
		cut = outcome(s, i, s->len);
		ck_assert_str_eq(cut, whole);
		free(cut);
	}
	for (size_t piece = 1; piece < 8; piece++) {
		cut = outcome(s, 0, piece);
		ck_assert_str_eq(cut, whole);
		free(cut);
	}
	return whole;
}

START_TEST(valid)
{
	const struct oip_valid *row = &oip_valid[_i];
	size_t unused;
	struct sent s = sent_of(&row->body, &unused);
	char *got = outcome_of_cuts(&s);

	ck_assert_str_eq(got, row->want);
	free(got);
	free(s.bytes);
}
END_TEST

START_TEST(invalid)
{
	const struct oip_invalid *row = &oip_invalid[_i];
	size_t mark;
	struct sent s = sent_of(&row->body, &mark);
	char *got = outcome_of_cuts(&s), want[64];

	if (row->at > 0)
		mark += (size_t)row->at - 1;
	if (row->at == SOMEWHERE)
		snprintf(want, sizeof(want), "%s at ", err_row(row->code)->code);
	else
		snprintf(want, sizeof(want), "%s at %lld: ", err_row(row->code)->code,
		    row->at == NOWHERE ? -1 : (long long)mark);
	ck_assert_msg(strncmp(got, want, strlen(want)) == 0 && strstr(got, row->says) != NULL,
	    "%s: wanted %s... %s got %s", row->body.document, want, row->says, got);
	ck_assert(row->at != SOMEWHERE || strstr(got, "at -1") == NULL);
	free(got);
	free(s.bytes);
}
END_TEST

/* A valid body that ends early is refused at its end, or says less: white space and empty tensors were missing. */
START_TEST(truncated)
{
	const struct oip_valid *row = &oip_valid[_i];
	size_t unused;
	struct sent s = sent_of(&row->body, &unused);
	const size_t len = s.len;
	char *got, want[64];

	for (s.len = 0; s.len < len; s.len++) {
		got = outcome(&s, 0, 3);
		snprintf(want, sizeof(want), " at %zu: ", s.len);
		ck_assert_msg(strstr(got, want) != NULL || (s.header == 0 && strcmp(got, row->want) == 0), "%s", got);
		free(got);
	}
	free(s.bytes);
}
END_TEST

/* Whatever the header says of the document's length, there is an answer; less than the truth is no JSON. */
START_TEST(header_lengths_that_lie)
{
	const struct oip_valid *row = &oip_valid[_i];
	size_t unused;
	struct sent s = sent_of(&row->body, &unused);
	const size_t header = s.header;
	char *got, *cut;

	for (s.header = 1; s.header < s.len + 3 && header > 0; s.header++) {
		got = outcome(&s, 0, s.len);
		cut = outcome(&s, header / 2, 1);
		ck_assert_str_eq(got, cut);
		if (s.header > s.len || (s.header != header && row->body.len > 0))
			ck_assert_msg(strstr(got, "bad_") == got, "%s", got);
		free(got);
		free(cut);
	}
	free(s.bytes);
}
END_TEST

/* The members of the inputs and of the root stay in the envelope, with a mark in the place of data. */
START_TEST(the_envelope_has_all_members)
{
	static const struct oip_body body =
	    WITH("{\"id\":\"x\",\"inputs\":[{\"name\":\"a\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1],"
		 "\"extra\":null},{\"name\":\"b\",\"shape\":[2],\"datatype\":\"FP16\",\"parameters\":{\"binary_data_"
		 "size\":4,"
		 "\"other\":true}}],\"outputs\":[{\"name\":\"b\"}],\"more\":{\"k\":-1.50}}",
		"1234");
	size_t mark;
	struct sent s = sent_of(&body, &mark);
	struct body *b = new_body(&s, NULL);
	const struct cJSON *root, *input;
	struct err e;

	ck_assert_int_eq(feed(b, &s, s.len, 0, s.len, &e), 0);
	ck_assert_int_eq(body_finish(b, &e), 0);
	ck_assert_int_eq(body_settle(b, DATATYPE_FP32, &e), 0);
	root = body_envelope(b);
	ck_assert_str_eq(envelope_text(envelope_get(root, "id")), "x");
	ck_assert_str_eq(envelope_text(envelope_get(envelope_get(root, "more"), "k")), "-1.50");
	ck_assert_int_eq(envelope_type(envelope_get(root, "outputs")), ENVELOPE_ARRAY);
	input = envelope_first(envelope_get(root, "inputs"));
	ck_assert_str_eq(envelope_text(envelope_get(input, "name")), "a");
	ck_assert_int_eq(envelope_type(envelope_get(input, "data")), ENVELOPE_TENSOR);
	ck_assert_str_eq(envelope_key(envelope_first(input)), "name");
	input = envelope_next(input);
	ck_assert_str_eq(envelope_text(envelope_get(input, "datatype")), "FP16");
	ck_assert(envelope_bool(envelope_get(envelope_get(input, "parameters"), "other")));
	ck_assert_ptr_null(envelope_next(input));
	body_free(b);
	free(s.bytes);
}
END_TEST

/* A document with so many inputs of one half each, their names of `name_len` characters, and the bytes; to be freed. */
static struct sent
many_inputs(size_t inputs, int name_len)
{
	struct sent s = { .bytes_max = 4 << 20 };
	FILE *out = open_memstream(&s.bytes, &s.len);

	ck_assert_ptr_nonnull(out);
	fputs("{\"inputs\":[", out);
	for (size_t i = 0; i < inputs; i++)
		fprintf(out,
		    "%s{\"name\":\"%0*zu\",\"shape\":[1],\"datatype\":\"FP16\",\"parameters\":{\"binary_data_size\":2}"
		    "}",
		    i > 0 ? "," : "", name_len, i);
	fputs("],\"outputs\":[", out);
	for (size_t i = 0; i < inputs; i++)
		fprintf(
		    out, "%s{\"name\":\"%0*zu\",\"parameters\":{\"binary_data\":true}}", i > 0 ? "," : "", name_len, i);
	fputs("]}", out);
	fflush(out);
	s.header = s.len;
	for (size_t i = 0; i < inputs; i++) {
		fputc((int)(i & 0xff), out);
		fputc((int)(i >> 8), out);
	}
	fclose(out);
	return s;
}

/* 1,000 layers in one call, with the longest names. */
START_TEST(a_thousand_inputs)
{
	struct sent s = many_inputs(1000, 128);
	struct body *b = new_body(&s, NULL);
	const struct oip_input *inputs;
	struct err e = { 0 };
	size_t count;

	ck_assert_msg(feed(b, &s, s.len, 0, 5000, &e) == 0 && body_finish(b, &e) == 0, "%s", e.detail);
	ck_assert_int_eq(body_settle(b, DATATYPE_FP32, &e), 0);
	inputs = body_inputs(b, &count);
	ck_assert_uint_eq(count, 1000);
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_eq(strtoul(inputs[i].name, NULL, 10), i);
		ck_assert_uint_eq(*(const uint16_t *)inputs[i].tensor->values, i);
	}
	body_free(b);
	free(s.bytes);
}
END_TEST

/* The bytes of the envelope, and the keys of all objects, are limited; so are those of one object. */
START_TEST(too_many_members)
{
	static const struct {
		const char *before, *open, *close; /* each member has a number between the two */
		size_t n;
		const char *says;
	} rows[] = {
		{ "{\"inputs\":[", "{\"name\":\"", "\",\"shape\":[0],\"datatype\":\"FP16\",\"data\":[]},", 20000,
		    "that are not tensors' data" },
		{ "[", "{\"", "\":0,\"b\":0,\"c\":0,\"d\":0},", 16385, "at most 65536 keys" },
		{ "{", "\"k", "\":0,", 513, "an object may have at most 512 keys" },
	};
	struct sent s = { .bytes_max = 4 << 20 };
	FILE *out = open_memstream(&s.bytes, &s.len);
	char *got;

	ck_assert_ptr_nonnull(out);
	fputs(rows[_i].before, out);
	for (size_t i = 0; i < rows[_i].n; i++)
		fprintf(out, "%s%zu%s", rows[_i].open, i, rows[_i].close);
	fclose(out);
	got = outcome(&s, 0, s.len);
	ck_assert_msg(strstr(got, "bad_json") == got && strstr(got, rows[_i].says) != NULL, "%s", got);
	free(got);
	free(s.bytes);
}
END_TEST

/* What clients send takes the short way; what is unusual or wrong is left to the scanner. */
START_TEST(small_documents)
{
	static const struct {
		const char *document;
		size_t inputs; /* 0: left */
	} rows[] = {
		{ INPUTS(IN("a", "[8,16]", "FP32", SIZE(512))), 1 },
		{ INPUTS(IN("a", "[8, 16]", "BF16", SIZE(256)) ", " IN("b", "[0]", "FP64", SIZE(0))), 2 },
		{ "{\"id\": \"\", \"inputs\": [" IN("layer1.0.bn1", "[2]", "FP32",
		      SIZE(8)) "], \"outputs\": [{\"name\": "
			       "\"layer1.0.bn1\", \"parameters\": {\"binary_data\": true}}], \"parameters\": "
			       "{\"mode\": \"train\","
			       "\"priority\": 0, \"x\": null, \"y\": -1.5e3, \"z\": false}}\n",
		    1 },
		{ INPUTS(IN("a", "[2]", "FP32", ",\"data\":null" SIZE(8))), 1 },
		/* left */
		{ "{}", 0 },
		{ "[]", 0 },
		{ INPUTS(""), 0 },
		{ INPUTS(IN("a", "[2]", "FP32", DATA("[1,2]"))), 0 },
		{ INPUTS(IN("\\u0061", "[2]", "FP32", SIZE(8))), 0 },
		{ INPUTS(IN("\xc3\xa9", "[2]", "FP32", SIZE(8))), 0 },
		{ INPUTS(IN("a\tb", "[2]", "FP32", SIZE(8))), 0 },
		{ INPUTS(IN("a", "[2]", "INT8", SIZE(2))), 0 },
		{ INPUTS(IN("a", "[2]", "BOOL", SIZE(2))), 0 },
		{ INPUTS(IN("a", "[]", "FP32", SIZE(4))), 0 },
		{ INPUTS(IN("a", "[-1]", "FP32", SIZE(4))), 0 },
		{ INPUTS(IN("a", "[01]", "FP32", SIZE(4))), 0 },
		{ INPUTS(IN("a", "[1]", "FP32", ",\"name\":\"b\"" SIZE(4))), 0 },
		{ INPUTS(IN("a", "[1]", "FP32", SIZE(4))) "x", 0 },
		{ INPUTS(IN("a", "[1]", "FP32", SIZE(4)) ","), 0 },
		{ "{\"inputs\":[" IN("a", "[1]", "FP32", SIZE(4)) "]", 0 },
		{ "{\"inputs\":[" IN("a", "[1]", "FP32", SIZE(4)) "],}", 0 },
		{ "{\"inputs\":[" IN("a", "[1]", "FP32", SIZE(4)) "]],\"b\":[}", 0 },
		{ "{\"x\":[[[[[[[[1]]]]]]]],\"inputs\":[" IN("a", "[1]", "FP32", SIZE(4)) "]}", 0 },
		{ "{\"x\":{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":1,\"a\":1,\"b\":1,"
		  "\"c\":1,"
		  "\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1},\"inputs\":[" IN("a", "[1]", "FP32", SIZE(4)) "]}",
		    0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct oip_small small;
		const size_t len = strlen(rows[i].document);
		char *copy = malloc(len); /* without a NUL, so that a byte read beyond it is found */
		bool taken;

		ck_assert_ptr_nonnull(copy);
		memcpy(copy, rows[i].document, len);
		taken = oip_small_read(&small, "inputs", copy, len, NULL);
		ck_assert_msg(taken == (rows[i].inputs > 0) && small.count == rows[i].inputs, "%s", rows[i].document);
		oip_small_fini(&small);
		free(copy);
	}
}
END_TEST

/* Memory is counted as bytes come, for one input after another: what was announced costs nothing. */
START_TEST(memory_is_counted_as_it_comes)
{
	enum { MIB = 1 << 20, TENSOR = 16 * MIB };
	char document[400];
	struct budget budget;
	struct budget_share share = { .budget = &budget };
	struct sent s = { .bytes = document };
	struct body *b;
	struct err e = { 0 };
	size_t taken, before;
	char *block = calloc(1, MIB);

	ck_assert_ptr_nonnull(block);
	budget_init(&budget, 40 * MIB);
	s.header = (size_t)snprintf(document, sizeof(document),
	    INPUTS(IN("a", "[%d]", "FP32", ",\"parameters\":{\"binary_data_size\":%d}") "," IN(
		"b", "[%d]", "FP32", ",\"parameters\":{\"binary_data_size\":%d}")),
	    TENSOR / 4, TENSOR, TENSOR / 4, TENSOR);
	b = body_new(&(struct body_options){
	    .form = FORM_OIP, .bytes_max = 64 * MIB, .header_bytes = s.header, .memory = &share });
	ck_assert_int_eq(body_feed(b, document, s.header, &taken, &e), 0);
	before = share.bytes;
	ck_assert_uint_lt(before, 64 << 10);
	for (size_t sent = MIB; sent <= 2 * (size_t)TENSOR; sent += MIB) {
		ck_assert_msg(body_feed(b, block, MIB, &taken, &e) == 0, "%s", e.detail);
		ck_assert_uint_ge(share.bytes, before + sent);
		ck_assert_uint_le(share.bytes, before + sent + 2 * MIB);
	}
	ck_assert_int_eq(body_finish(b, &e), 0);
	body_free(b);
	budget_give_all(&share);
	free(block);
}
END_TEST

/* What can never fit is refused when it is announced. */
START_TEST(no_memory_for_what_is_announced)
{
	static const struct oip_body body = WITH(INPUTS(IN("a", "[1024]", "FP32", SIZE(4096))), "");
	struct budget budget;
	struct budget_share share = { .budget = &budget };
	size_t mark;
	struct sent s = sent_of(&body, &mark);
	struct body *b = new_body(&s, &share);
	struct err e = { 0 };

	budget_init(&budget, 4000);
	ck_assert_int_eq(feed(b, &s, s.len, 0, s.len, &e), -1);
	ck_assert_int_eq(e.code, ERR_BODY_TOO_LARGE);
	body_free(b);
	budget_give_all(&share);
	free(s.bytes);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("oip");
	TCase *all = tcase_create("oip");

	tcase_add_loop_test(all, valid, 0, COUNT(oip_valid));
	tcase_add_loop_test(all, invalid, 0, COUNT(oip_invalid));
	tcase_add_loop_test(all, truncated, 0, COUNT(oip_valid));
	tcase_add_loop_test(all, header_lengths_that_lie, 0, COUNT(oip_valid));
	tcase_add_test(all, the_envelope_has_all_members);
	tcase_add_test(all, a_thousand_inputs);
	tcase_add_loop_test(all, too_many_members, 0, 3);
	tcase_add_test(all, small_documents);
	tcase_add_test(all, memory_is_counted_as_it_comes);
	tcase_add_test(all, no_memory_for_what_is_announced);
	suite_add_tcase(suite, all);
	return suite;
}
