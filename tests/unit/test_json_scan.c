/* SPDX-License-Identifier: MIT */
/*
 * The JSON decoder. Whatever is fed is fed in pieces that are allocated exactly (so that a sanitizer sees a byte read
 * beyond one), and in several cuts, which must all come to the same.
 */
#include "tests/unit/unit.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec/json_keys.h"
#include "codec/json_scan.h"
#include "tests/unit/json_corpus.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TENSOR_BYTES_MAX 4096

static const struct json_slot slots[] = { { .key = "", .datatype = DATATYPE_FP32 },
	{ .key = "input", .datatype = DATATYPE_FP32 }, { .key = "weight", .datatype = DATATYPE_FP64 },
	{ .key = "bias", .datatype = DATATYPE_FP64 }, { .key = "mask", .datatype = DATATYPE_BOOL } };

/* A document as it is fed: cut every `step` bytes, and at `cut`. */
struct document {
	const char *bytes;
	size_t len;
	size_t step;
	size_t cut;
};

/* The length of the piece at `at`. */
static size_t
piece_length(const struct document *d, size_t at)
{
	size_t len = d->len - at < d->step ? d->len - at : d->step;

	return at < d->cut && d->cut - at < len ? d->cut - at : len;
}

/* The same where a document that is a list is just that. */
static const struct json_slot no_root_slots[] = { { .key = "no such key", .datatype = DATATYPE_FP32 },
	{ .key = "input", .datatype = DATATYPE_FP32 }, { .key = "weight", .datatype = DATATYPE_FP64 },
	{ .key = "bias", .datatype = DATATYPE_FP64 }, { .key = "mask", .datatype = DATATYPE_BOOL } };

static const struct json_slot *used_slots = slots;

/* What a layer would say. */
static enum datatype by_layer = DATATYPE_FP32;

static int
feed_pieces(struct json_scan *s, const struct document *d, struct err *e)
{
	size_t len;
	char *piece;
	int result = 0;

	for (size_t at = 0; at < d->len && result == 0; at += len) {
		len = piece_length(d, at);
		piece = malloc(len);
		ck_assert_ptr_nonnull(piece);
		memcpy(piece, d->bytes + at, len);
		result = json_scan_feed(s, piece, len, e);
		free(piece);
	}
	if (result == 0)
		result = json_scan_finish(s, e);
	return result == 0 ? json_scan_settle(s, by_layer, e) : result;
}

static void
print_value(FILE *out, const struct cJSON *v)
{
	enum envelope_type type = envelope_type(v);
	bool object = type == ENVELOPE_OBJECT;

	if (type == ENVELOPE_NULL)
		fprintf(out, "null");
	else if (type == ENVELOPE_BOOL)
		fprintf(out, envelope_bool(v) ? "true" : "false");
	else if (type == ENVELOPE_NUMBER)
		fprintf(out, "n%s", envelope_text(v));
	else if (type == ENVELOPE_STRING)
		fprintf(out, "'s%s'", envelope_text(v));
	else if (type == ENVELOPE_TENSOR)
		fprintf(out, "t%s", envelope_text(v));
	else {
		fprintf(out, object ? "{" : "[");
		for (const struct cJSON *c = envelope_first(v); c != NULL; c = envelope_next(c)) {
			if (object)
				fprintf(out, "%s:", envelope_key(c));
			print_value(out, c);
			fputs(envelope_next(c) != NULL ? "," : "", out);
		}
		fprintf(out, object ? "}" : "]");
	}
}

/* A float16 by its bits. */
static void
print_number(FILE *out, const struct tensor *t, size_t i)
{
	if (i > 0)
		fprintf(out, " ");
	if (t->datatype == DATATYPE_BOOL)
		fprintf(out, "%d", ((const unsigned char *)t->values)[i]);
	else if (t->datatype == DATATYPE_FP16)
		fprintf(out, "0x%04x", ((const uint16_t *)t->values)[i]);
	else
		fprintf(out, "%.17g",
		    t->datatype == DATATYPE_FP32 ? (double)((const float *)t->values)[i] :
						   ((const double *)t->values)[i]);
}

static void
print_tensor(FILE *out, size_t slot, const struct tensor *t)
{
	char shape[200];
	size_t count = 1;

	for (unsigned i = 0; i < t->rank; i++)
		count *= t->shape[i];
	ck_assert_uint_eq(t->count, count);
	ck_assert((t->values == NULL) == (count == 0));
	tensor_shape_text(t->shape, t->rank, shape, sizeof(shape));
	fprintf(out, " t%zu=%s%s%s:", slot, datatype_name(t->datatype), shape, t->nested ? "nested" : "flat");
	for (size_t i = 0; i < t->count; i++)
		print_number(out, t, i);
}

/* What becomes of a document, as text (to be freed): see struct json_valid; or the error's code, offset and detail. */
static char *
outcome(const struct document *d)
{
	struct json_scan *s = json_scan_new(used_slots, COUNT(slots), TENSOR_BYTES_MAX, NULL);
	struct err e = { 0 };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert(s != NULL && out != NULL);
	if (feed_pieces(s, d, &e) < 0)
		fprintf(
		    out, "%s at %lld: %s", err_row(e.code)->code, e.has_offset ? (long long)e.offset : -1, e.detail);
	else {
		print_value(out, json_scan_envelope(s));
		for (size_t i = 0; i < COUNT(slots); i++)
			if (json_scan_tensor(s, i) != NULL)
				print_tensor(out, i, json_scan_tensor(s, i));
	}
	fclose(out);
	json_scan_free(s);
	return text;
}

/* The document's outcome, having seen that another cut gives the same. To be freed. */
static char *
outcome_of_cuts(const char *bytes, size_t len, bool all)
{
	char *whole = outcome(&(struct document){ bytes, len, len, 0 });
	char *cut = outcome(&(struct document){ bytes, len, 1, 0 });

	ck_assert_str_eq(whole, cut);
	free(cut);
	for (size_t i = 1; all && i < len; i++) {
		cut = outcome(&(struct document){ bytes, len, len, i });
		ck_assert_str_eq(whole, cut);
		free(cut);
		cut = outcome(&(struct document){ bytes, len, i, 0 });
		ck_assert_str_eq(whole, cut);
		free(cut);
	}
	return whole;
}

static char *
outcome_of_text(const char *text)
{
	return outcome_of_cuts(text, strlen(text), true);
}

/* The document is refused with this code and offset. */
static void
check_refused(const char *bytes, size_t len, bool all, enum err_code code, size_t offset)
{
	char *got = outcome_of_cuts(bytes, len, all), want[64];

	snprintf(want, sizeof(want), "%s at %zu:", err_row(code)->code, offset);
	if (strncmp(got, want, strlen(want)) != 0)
		ck_abort_msg("%.200s: wanted %s got %s", bytes, want, got);
	free(got);
}

/* Lists of the corpus that are no tensors are there for their syntax. */
static void
choose_slots(const char *text, bool tensor)
{
	used_slots = text[strspn(text, " ")] == '[' && !tensor ? no_root_slots : slots;
}

START_TEST(valid)
{
	char *got;

	choose_slots(json_valid[_i].text, json_valid[_i].want[0] == 't');
	got = outcome_of_text(json_valid[_i].text);
	ck_assert_str_eq(got, json_valid[_i].want);
	free(got);
}
END_TEST

START_TEST(invalid)
{
	const char *marked = json_invalid[_i].text, *mark = strchr(marked, '@');
	char bytes[256];

	ck_assert(mark != NULL && strlen(marked) < sizeof(bytes));
	choose_slots(marked, json_invalid[_i].code != ERR_BAD_JSON);
	snprintf(bytes, sizeof(bytes), "%.*s%s", (int)(mark - marked), marked, mark + 1);
	check_refused(bytes, strlen(bytes), true, json_invalid[_i].code, (size_t)(mark - marked));
}
END_TEST

/*
 * Every beginning of a valid document is either incomplete, refused at its end, or (white space cut off) the same
 * document.
 */
START_TEST(truncated)
{
	const char *text = json_valid[_i].text;
	struct json_scan *s;
	struct err e;

	choose_slots(text, json_valid[_i].want[0] == 't');
	for (size_t len = 0; len < strlen(text); len++) {
		s = json_scan_new(used_slots, COUNT(slots), TENSOR_BYTES_MAX, NULL);
		ck_assert_ptr_nonnull(s);
		if (feed_pieces(s, &(struct document){ text, len, 3, 0 }, &e) < 0) {
			ck_assert_int_eq(e.code, ERR_BAD_JSON);
			ck_assert_uint_eq(e.offset, len);
		}
		json_scan_free(s);
	}
}
END_TEST

START_TEST(nul_bytes)
{
	check_refused("\0", 1, true, ERR_BAD_JSON, 0);
	check_refused("\"a\0b\"", 5, true, ERR_BAD_JSON, 2);
	check_refused("{\"data\":[1\0]}", 13, true, ERR_BAD_JSON, 10);
	check_refused("1\0", 2, true, ERR_BAD_JSON, 1);
}
END_TEST

/* `open` n times, `inner`, `close` n times; to be freed. */
static char *
nest(const char *open, size_t n, const char *inner, const char *close)
{
	size_t len;
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	for (size_t i = 0; i < n; i++)
		fputs(open, out);
	fputs(inner, out);
	for (size_t i = 0; i < n; i++)
		fputs(close, out);
	fclose(out);
	return text;
}

START_TEST(depth)
{
	char *fits = nest("[", JSON_DEPTH_MAX, "1", "]"), *deep = nest("[", JSON_DEPTH_MAX + 1, "1", "]");
	char *objects = nest("{\"a\":", JSON_DEPTH_MAX, "1", "}");
	char *deep_objects = nest("{\"a\":", JSON_DEPTH_MAX + 1, "1", "}");
	char *got;

	used_slots = no_root_slots;
	got = outcome_of_text(fits);
	ck_assert_int_eq(got[0], '[');
	free(got);
	got = outcome_of_text(objects);
	ck_assert_int_eq(got[0], '{');
	free(got);
	check_refused(deep, strlen(deep), true, ERR_BAD_JSON, JSON_DEPTH_MAX);
	check_refused(deep_objects, strlen(deep_objects), true, ERR_BAD_JSON, 5 * JSON_DEPTH_MAX);
	free(fits);
	free(deep);
	free(objects);
	free(deep_objects);
}
END_TEST

/* {"k0":0,"k1":0,...} with n keys; to be freed. *last is where the last key begins. */
static char *
many_keys(size_t n, size_t *last)
{
	size_t len;
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	fputc('{', out);
	for (size_t i = 0; i < n; i++) {
		fputs(i > 0 ? "," : "", out);
		*last = (size_t)ftell(out);
		fprintf(out, "\"k%zu\":0", i);
	}
	fputc('}', out);
	fclose(out);
	return text;
}

START_TEST(key_limit)
{
	size_t last;
	char *fits = many_keys(JSON_KEYS_MAX, &last), *more = many_keys(JSON_KEYS_MAX + 1, &last);
	char *got = outcome_of_cuts(fits, strlen(fits), false);

	ck_assert_int_eq(got[0], '{');
	check_refused(more, strlen(more), false, ERR_BAD_JSON, last);
	free(got);
	free(fits);
	free(more);
}
END_TEST

/* Keys of objects that have ended count too. */
START_TEST(key_limit_closed)
{
	char *objects = nest("{\"a\":0},", JSON_KEYS_MAX + 1, "0", ""), *text;

	used_slots = no_root_slots;
	ck_assert_int_gt(asprintf(&text, "[%s]", objects), 0);
	check_refused(text, strlen(text), false, ERR_BAD_JSON, 1 + 8 * JSON_KEYS_MAX + 1);
	free(objects);
	free(text);
}
END_TEST

/* An outer object's keys, among them as many of an inner one; `last` is the outer's last key, at *at. To be freed. */
static char *
keys_around_keys(size_t n, const char *last, uint64_t *at)
{
	size_t unused, len;
	char *inner = many_keys(n, &unused), *outer = many_keys(n, &unused), *text = NULL;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	fprintf(out, "%.*s,\"inner\":%s,", (int)strlen(outer) - 1, outer, inner);
	*at = (uint64_t)ftell(out);
	fprintf(out, "\"%s\":0}", last);
	fclose(out);
	free(inner);
	free(outer);
	return text;
}

/* However many there are, and whatever objects with the same ones stand between. */
START_TEST(one_of_many_keys_stands_twice)
{
	static const size_t counts[] = { 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1000 };
	uint64_t at;
	char last[32], *text, *got;

	used_slots = no_root_slots;
	for (size_t c = 0; c < COUNT(counts); c++) {
		for (size_t i = 0; i < counts[c]; i += 1 + counts[c] / 5) {
			snprintf(last, sizeof(last), "k%zu", i);
			text = keys_around_keys(counts[c], last, &at);
			check_refused(text, strlen(text), false, ERR_BAD_JSON, at);
			free(text);
		}
		text = keys_around_keys(counts[c], "another", &at);
		got = outcome_of_cuts(text, strlen(text), false);
		ck_assert_int_eq(got[0], '{');
		free(got);
		free(text);
	}
}
END_TEST

/* The processor time of adding JSON_KEYS_MAX keys, in objects of `n`, in seconds: the least of several attempts. */
static double
seconds_of_keys(size_t n)
{
	double least = 1e9, spent;
	struct json_keys keys;
	struct err e = { 0 };
	clock_t began;

	for (unsigned attempt = 0; attempt < 7; attempt++) {
		keys = (struct json_keys){ .total_max = JSON_KEYS_MAX, .object_max = JSON_KEYS_MAX };
		began = clock();
		for (size_t i = 0; i < JSON_KEYS_MAX; i++) {
			const struct json_key key = { .hash = (i % n) * UINT64_C(0x9e3779b97f4a7c15), .len = 1 };

			if (i % n == 0)
				json_keys_close(&keys, 0);
			ck_assert_int_eq(json_keys_add(&keys, 0, &key, "k", i, &e), 0);
		}
		spent = (double)(clock() - began) / CLOCKS_PER_SEC;
		least = spent < least ? spent : least;
		json_keys_fini(&keys);
	}
	return least;
}

/* Many keys in one object cost no more each than few: else one body could hold an event loop. */
START_TEST(many_keys_cost_no_more_each)
{
	double apart = seconds_of_keys(16), together = seconds_of_keys(JSON_KEYS_MAX);

	ck_assert_msg(together < 8 * apart, "%g s instead of %g s", together, apart);
}
END_TEST

/* The envelope's text may have JSON_ENVELOPE_MAX bytes: a string of so many characters, two quotes and its mark. */
START_TEST(envelope_limit)
{
	char *inner = nest("x", JSON_ENVELOPE_MAX - 3, "", ""), *fits, *more, *list;
	char *got;

	used_slots = no_root_slots;
	ck_assert_int_gt(asprintf(&fits, "\"%s\"", inner), 0);
	ck_assert_int_gt(asprintf(&more, "\"%sx\"", inner), 0);
	/* The error names where the string begins, even where another one follows it. */
	ck_assert_int_gt(asprintf(&list, "[ \"%s\x01", inner), 0);
	got = outcome_of_cuts(fits, strlen(fits), false);
	ck_assert_int_eq(got[0], '\'');
	free(got);
	check_refused(more, strlen(more), false, ERR_BAD_JSON, 0);
	check_refused(list, strlen(list), false, ERR_BAD_JSON, 2 + 1 + JSON_ENVELOPE_MAX - 3);
	list[strlen(list) - 1] = 'x';
	check_refused(list, strlen(list), false, ERR_BAD_JSON, 2);
	free(inner);
	free(fits);
	free(more);
	free(list);
}
END_TEST

/* All tensors of a document share one limit. */
START_TEST(tensor_limit)
{
	char *fits = nest("1,", TENSOR_BYTES_MAX / 4 - 1, "2", ""), *text, *got;

	ck_assert_int_gt(asprintf(&text, "{\"data\":[%s]}", fits), 0);
	got = outcome_of_cuts(text, strlen(text), false);
	ck_assert_int_eq(got[0], '{');
	free(got);
	free(text);
	ck_assert_int_gt(asprintf(&text, "{\"data\":[%s, 3]}", fits), 0);
	check_refused(text, strlen(text), false, ERR_BODY_TOO_LARGE, 9 + strlen(fits) + 2);
	free(text);
	ck_assert_int_gt(asprintf(&text, "{\"data\":[%s],\"input\":[3]}", fits), 0);
	check_refused(text, strlen(text), false, ERR_BODY_TOO_LARGE, 9 + strlen(fits) + 11);
	free(text);
	ck_assert_int_gt(asprintf(&text, "{\"data\":[%s],\"input\":[]}", fits), 0);
	got = outcome_of_cuts(text, strlen(text), false);
	ck_assert_int_eq(got[0], '{');
	free(got);
	free(text);
	free(fits);
}
END_TEST

/* Numbers longer than a piece: 64 kB are the limit, wherever they are cut. */
START_TEST(long_numbers)
{
	char *digits = nest("0", 65535, "1", ""), *text, *got;

	ck_assert_int_gt(asprintf(&text, "{\"data\":[5,0.%s,7]}", digits + 2), 0);
	got = outcome_of_cuts(text, strlen(text), false);
	ck_assert_str_eq(got, "{data:t0} t0=FP32[3]nested:5 0 7");
	free(got);
	free(text);
	ck_assert_int_gt(asprintf(&text, "{\"data\":[5,0.%s,7]}", digits), 0);
	check_refused(text, strlen(text), false, ERR_BAD_TENSOR, 11);
	free(text);
	ck_assert_int_gt(asprintf(&text, "{\"data\":[5,0.%s.1", digits + 4), 0);
	check_refused(text, strlen(text), false, ERR_BAD_JSON, strlen(text) - 2);
	free(text);
	free(digits);
}
END_TEST

/* More values than any first allocation, cut at odd places, with the shape before, after and left out. */
START_TEST(many_values)
{
	static const char *const around[][2] = { { "{\"data\":[", "]}" }, { "{\"shape\":[10,100],\"data\":[", "]}" },
		{ "{\"data\":[", "],\"shape\":[1000]}" } };
	char *numbers = nest("-1.25e-1, ", 999, "7", ""), *text, *got, *again;

	for (size_t i = 0; i < COUNT(around); i++) {
		ck_assert_int_gt(asprintf(&text, "%s%s%s", around[i][0], numbers, around[i][1]), 0);
		got = outcome_of_cuts(text, strlen(text), false);
		ck_assert_ptr_nonnull(strstr(got, ":-0.125 -0.125"));
		for (size_t step = 2; step < 100; step++) {
			again = outcome(&(struct document){ text, strlen(text), step, 0 });
			ck_assert_str_eq(got, again);
			free(again);
		}
		free(got);
		free(text);
	}
	free(numbers);
}
END_TEST

/* Messages name the tensor and what was expected. */
START_TEST(messages)
{
	static const char *const cases[][2] = {
		{ "{\"data\":[[1,2,3],[4,5]]}",
		    "bad_tensor at 21: data: this list has 2 elements; the lists before it have 3 elements "
		    "(at byte 21)" },
		{ "{\"input\":{\"shape\":[2,3],\"data\":[1]}}",
		    "bad_tensor at 33: input: this list has 1 element; shape [2,3] needs 6 elements "
		    "(at byte 33)" },
		{ "{\"data\":[[1],[2,3]]}",
		    "bad_tensor at 16: data: this list has more elements; the lists before it have 1 element (at byte "
		    "16)" },
		{ "{\"shape\":[2,2],\"data\":[1,2,3,4,5]}",
		    "bad_tensor at 31: data: this list has more elements; shape [2,2] needs 4 elements (at byte "
		    "31)" },
		{ "{\"data\":[1e39]}", "bad_tensor at 9: data: 1e39 does not fit FP32 (at byte 9)" },
		{ "{\"a\":1,\"a\":2}", "bad_json at 7: the key \"a\" is given twice in one object (at byte 7)" },
		{ "{\"datatype\":\"INT8\"}",
		    "bad_tensor at 12: datatype of data: \"INT8\" is not supported in JSON; supported are FP32, FP64, "
		    "FP16 (at byte 12)" },
		{ "{\"data\":[1,-1e39],\"datatype\":\"FP32\"}",
		    "bad_tensor at 11: data: -1e39 does not fit FP32 (at byte 11)" },
		{ "{\"input\":{\"data\":[1, 65520 ],\"datatype\":\"FP16\"}}",
		    "bad_tensor at 21: input: 65520 does not fit FP16 (at byte 21)" },
		{ "{\"data\":{\"0\":1,\"1\":2}}",
		    "bad_tensor at 8: data: expected a list of numbers (a typed array of JavaScript is sent as a list "
		    "by Array.from(array)) (at byte 8)" },
		{ "{\"mask\":[1, 2 ]}",
		    "bad_parameter at 12: \"mask\" has 2; it must be true or false, 1 or 0 (at byte 12)" },
		{ "{\"a\":[1 2]}", "bad_json at 8: expected ',' or ']', not '2' (at byte 8)" },
		{ "{\"shape\":[2000],\"data\":[]}",
		    "body_too_large at 23: the tensors of a body may have at most 4096 bytes (--max-body) (at byte "
		    "23)" },
	};
	char *got;

	for (size_t i = 0; i < COUNT(cases); i++) {
		got = outcome_of_text(cases[i][0]);
		ck_assert_str_eq(got, cases[i][1]);
		free(got);
	}
}
END_TEST

/* xorshift64* (Vigna 2016): the same documents in every run. */
static uint64_t
random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* Changes, drops, doubles or inserts some bytes of text[0..len). Returns the new length, at most `size`. */
static size_t
mutate(char *text, size_t len, size_t size, uint64_t *state)
{
	static const char likely[] = "[]{},:\"\\u0123456789-+.eE tfn\xc3\xed\xf0\x80";
	size_t at, edits = 1 + random_next(state) % 4;

	for (; edits > 0 && len > 0; edits--) {
		at = random_next(state) % len;
		if (random_next(state) % 4 == 0) {
			memmove(text + at, text + at + 1, --len - at);
		} else if (random_next(state) % 3 == 0 && len < size) {
			memmove(text + at + 1, text + at, len++ - at);
		} else if (random_next(state) % 8 == 0)
			text[at] = (char)random_next(state);
		else
			text[at] = likely[random_next(state) % (sizeof(likely) - 1)];
	}
	return len;
}

#define MUTATIONS 200000

/* Whatever is fed, nothing breaks, and the cut makes no difference. */
START_TEST(mutations)
{
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
	char text[320], *whole, *cut;
	const char *from;
	size_t len;

	for (size_t i = 0; i < MUTATIONS; i++) {
		from = i % 2 == 0 ? json_valid[i / 2 % COUNT(json_valid)].text :
				    json_invalid[i / 2 % COUNT(json_invalid)].text;
		len = strlen(from);
		memcpy(text, from, len);
		len = mutate(text, len, sizeof(text), &state);
		whole = outcome(&(struct document){ text, len, len, 0 });
		cut = outcome(
		    &(struct document){ text, len, 1 + random_next(&state) % 7, random_next(&state) % (len + 1) });
		ck_assert_str_eq(whole, cut);
		free(whole);
		free(cut);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("json_scan");
	TCase *corpus = tcase_create("corpus"), *limits = tcase_create("limits"), *random = tcase_create("mutations");

	tcase_add_loop_test(corpus, valid, 0, (int)COUNT(json_valid));
	tcase_add_loop_test(corpus, invalid, 0, (int)COUNT(json_invalid));
	tcase_add_loop_test(corpus, truncated, 0, (int)COUNT(json_valid));
	tcase_add_test(corpus, nul_bytes);
	tcase_add_test(corpus, messages);
	suite_add_tcase(suite, corpus);
	tcase_set_timeout(limits, 60);
	tcase_add_test(limits, depth);
	tcase_add_test(limits, key_limit);
	tcase_add_test(limits, key_limit_closed);
	tcase_add_test(limits, one_of_many_keys_stands_twice);
	tcase_add_test(limits, many_keys_cost_no_more_each);
	tcase_add_test(limits, envelope_limit);
	tcase_add_test(limits, tensor_limit);
	tcase_add_test(limits, long_numbers);
	tcase_add_test(limits, many_values);
	suite_add_tcase(suite, limits);
	tcase_set_timeout(random, 300);
	tcase_add_test(random, mutations);
	suite_add_tcase(suite, random);
	return suite;
}
