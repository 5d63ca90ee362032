/* SPDX-License-Identifier: MIT */
/*
 * Content codings: what is encoded decodes to the same whatever the pieces; what is damaged or cut is refused; and a
 * bomb.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "codec/body.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Bytes that grow. */
struct bytes {
	char *at;
	size_t len;
};

static void
add(struct bytes *b, const char *bytes, size_t len)
{
	b->at = realloc(b->at, b->len + len + 1);
	memcpy(b->at + b->len, bytes, len);
	b->len += len;
}

static int
collect(void *arg, const char *bytes, size_t len, struct err *e)
{
	(void)e;
	add(arg, bytes, len);
	return 0;
}

/* A source that gives its text in steps of a few bytes. */
struct text {
	const char *at;
	size_t left;
	size_t step;
};

static size_t
text_read(void *arg, char *out, size_t room)
{
	struct text *t = arg;
	size_t n = t->left < t->step ? t->left : t->step;

	n = n < room ? n : room;
	memcpy(out, t->at, n);
	t->at += n;
	t->left -= n;
	return n;
}

static struct bytes
encoded(enum coding coding, const char *text, size_t len, size_t step, size_t room)
{
	struct text source = { text, len, step };
	struct coding_encoder *c = coding_encoder_new(coding, text_read, &source);
	struct bytes all = { NULL, 0 };
	char block[4096];
	size_t n;

	ck_assert_ptr_nonnull(c);
	while ((n = coding_encode(c, block, room)) > 0)
		add(&all, block, n);
	ck_assert_uint_eq(coding_encode(c, block, room), 0);
	coding_encoder_free(c);
	return all;
}

/* zlib's own, with a window as inflateInit2 takes it: the formats as others write them. */
static struct bytes
encoded_by_zlib(int window, const char *text, size_t len)
{
	struct bytes all = { malloc(len + 1024), 0 };
	z_stream z = { .next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)len };

	z.next_out = (Bytef *)all.at;
	z.avail_out = (uInt)(len + 1024);
	ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	all.len = z.total_out;
	deflateEnd(&z);
	return all;
}

/* What a call may make beyond the stretch: a block that was begun, and what zlib holds when its input is used up. */
#define STRETCH_BEYOND ((size_t)32 * 1024)

/* Decodes in pieces; 0, or -1 with `e`. */
static int
decode(enum coding coding, const struct bytes *from, size_t first, size_t piece, struct bytes *to, struct err *e)
{
	struct coding_decoder *d = coding_decoder_new(coding, collect, to, ERR_BAD_JSON);
	int result = 0;
	size_t len, taken, before;

	*to = (struct bytes){ NULL, 0 };
	*e = (struct err){ 0 };
	for (size_t at = 0; at < from->len && result == 0; at += taken) {
		len = at == 0 && first > 0 ? first : piece;
		len = len < from->len - at ? len : from->len - at;
		before = to->len;
		result = coding_decode(d, from->at + at, len, &taken, e);
		ck_assert(result < 0 || (taken > 0 && taken <= len));
		ck_assert(result < 0 || taken == len || to->len - before >= CODING_STRETCH_BYTES);
		ck_assert_uint_le(to->len - before, CODING_STRETCH_BYTES + STRETCH_BEYOND);
	}
	if (result == 0)
		result = coding_decoder_finish(d, e);
	coding_decoder_free(d);
	return result;
}

static void
assert_decodes(enum coding coding, const struct bytes *from, size_t first, size_t piece, const char *text, size_t len)
{
	struct bytes out;
	struct err e;

	ck_assert_msg(decode(coding, from, first, piece, &out, &e) == 0, "%s", e.detail);
	ck_assert_uint_eq(out.len, len);
	if (len > 0)
		ck_assert_mem_eq(out.at, text, len);
	free(out.at);
}

static const char sentence[] = "{\"data\":[1,2,3,1,2,3,1,2,3,0.5,-0.5,0.25]}";

START_TEST(names)
{
	static const struct {
		const char *name;
		int coding; /* -1: none of ours */
	} cases[] = { { "identity", CODING_IDENTITY }, { "gzip", CODING_GZIP }, { "GZip", CODING_GZIP },
		{ "x-gzip", CODING_GZIP }, { "deflate", CODING_DEFLATE }, { "x-deflate", -1 }, { "x-identity", -1 },
		{ "br", -1 }, { "zstd", -1 }, { "", -1 }, { "gzi", -1 }, { "gzipp", -1 }, { "x-", -1 },
		{ "compress", -1 } };
	enum coding coding;

	for (size_t i = 0; i < COUNT(cases); i++) {
		int result = coding_parse(cases[i].name, strlen(cases[i].name), &coding);

		ck_assert_msg(result == (cases[i].coding < 0 ? -1 : 0), "%s", cases[i].name);
		if (result == 0)
			ck_assert_int_eq((int)coding, cases[i].coding);
	}
}
END_TEST

/* A long text, of which nothing repeats for long. */
static struct bytes
long_text(size_t len)
{
	struct bytes text = { malloc(len), len };
	uint32_t state = 1;

	for (size_t i = 0; i < len; i++) {
		state = state * 1664525 + 1013904223;
		text.at[i] = "0123456789.,-e []"[(state >> 16) % 17];
	}
	return text;
}

START_TEST(round_trip)
{
	static const size_t lengths[] = { 0, 1, 2, 100, 16384, 16385, 300000 };
	const enum coding coding = _i % 2 == 0 ? CODING_GZIP : CODING_DEFLATE;
	struct bytes text = long_text(lengths[_i / 2]), coded, same;

	coded = encoded(coding, text.at, text.len, SIZE_MAX, 4096);
	assert_decodes(coding, &coded, 0, SIZE_MAX, text.at, text.len);
	assert_decodes(coding, &coded, 0, 1, text.at, text.len);
	assert_decodes(coding, &coded, 1, 7, text.at, text.len);
	/* However the source and the sink cut it, the text is the same. */
	same = encoded(coding, text.at, text.len, 3, 1);
	assert_decodes(coding, &same, 0, SIZE_MAX, text.at, text.len);
	free(text.at);
	free(coded.at);
	free(same.at);
}
END_TEST

START_TEST(others_formats)
{
	static const struct {
		enum coding coding;
		int window;
	} cases[] = { { CODING_GZIP, MAX_WBITS + 16 }, { CODING_GZIP, 9 + 16 }, { CODING_DEFLATE, MAX_WBITS },
		{ CODING_DEFLATE, 9 }, { CODING_DEFLATE, -MAX_WBITS } };
	struct bytes coded = encoded_by_zlib(cases[_i].window, sentence, sizeof(sentence) - 1), out;
	struct err e;

	for (size_t cut = 0; cut < coded.len; cut++)
		assert_decodes(cases[_i].coding, &coded, cut, SIZE_MAX, sentence, sizeof(sentence) - 1);
	/* Cut off anywhere, it is refused. */
	for (size_t len = 0; len < coded.len; len++) {
		ck_assert_int_eq(decode(cases[_i].coding, &(struct bytes){ coded.at, len }, 0, SIZE_MAX, &out, &e), -1);
		ck_assert_int_eq(e.code, ERR_BAD_JSON);
		ck_assert_ptr_nonnull(strstr(e.detail, "it ends too early"));
		free(out.at);
	}
	free(coded.at);
}
END_TEST

/*
 * A bit changed anywhere is refused, or was one that says nothing of the text (a time in gzip's header, what fills the
 * last byte).
 */
START_TEST(damage)
{
	const enum coding coding = _i == 0 ? CODING_GZIP : CODING_DEFLATE;
	struct bytes coded = encoded(coding, sentence, sizeof(sentence) - 1, SIZE_MAX, 4096), out;
	int harmless = 0;
	struct err e;

	for (size_t at = 0; at < coded.len; at++)
		for (int bit = 0; bit < 8; bit++) {
			coded.at[at] = (char)(coded.at[at] ^ 1 << bit);
			if (decode(coding, &coded, 0, 5, &out, &e) == 0) {
				harmless++;
				ck_assert_uint_eq(out.len, sizeof(sentence) - 1);
				ck_assert_mem_eq(out.at, sentence, out.len);
			} else {
				ck_assert_int_eq(e.code, ERR_BAD_JSON);
			}
			free(out.at);
			coded.at[at] = (char)(coded.at[at] ^ 1 << bit);
		}
	ck_assert_int_lt(harmless, 8 * 10);
	free(coded.at);
}
END_TEST

START_TEST(members)
{
	struct bytes two = encoded(CODING_GZIP, sentence, 10, SIZE_MAX, 4096), out;
	struct bytes rest = encoded(CODING_GZIP, sentence + 10, sizeof(sentence) - 11, SIZE_MAX, 4096);
	struct bytes zlib = encoded(CODING_DEFLATE, sentence, sizeof(sentence) - 1, SIZE_MAX, 4096);
	struct err e;

	add(&two, rest.at, rest.len);
	for (size_t cut = 0; cut < two.len; cut++)
		assert_decodes(CODING_GZIP, &two, cut, SIZE_MAX, sentence, sizeof(sentence) - 1);
	add(&two, "x", 1);
	ck_assert_int_eq(decode(CODING_GZIP, &two, 0, SIZE_MAX, &out, &e), -1);
	free(out.at);
	add(&zlib, "x", 1);
	ck_assert_int_eq(decode(CODING_DEFLATE, &zlib, 0, SIZE_MAX, &out, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.detail, "bytes follow its end"));
	free(out.at);
	free(two.at);
	free(rest.at);
	free(zlib.at);
}
END_TEST

static int
count_up_to(void *arg, const char *bytes, size_t len, struct err *e)
{
	size_t *left = arg;

	(void)bytes;
	if (len > *left)
		return err_fail(e, ERR_BODY_TOO_LARGE, "enough");
	*left -= len;
	return 0;
}

/* However much a few bytes make, a call makes about as much as it is said to, and the calls together make all of it. */
START_TEST(stretch)
{
	static const size_t len = 4000000;
	char *zeros = calloc(1, len);

	for (enum coding coding = CODING_GZIP; coding <= CODING_DEFLATE; coding++) {
		struct bytes bomb = encoded(coding, zeros, len, SIZE_MAX, 4096);

		ck_assert_uint_lt(bomb.len, len / 150);
		assert_decodes(coding, &bomb, 0, 32768, zeros, len);
		assert_decodes(coding, &bomb, 1, 7, zeros, len);
		free(bomb.at);
	}
	free(zeros);
}
END_TEST

/* What the sink refuses ends the decoding: a bomb makes no more than a block beyond the limit. */
START_TEST(a_bomb)
{
	char *zeros = calloc(1, 100000000);
	struct bytes bomb = encoded_by_zlib(MAX_WBITS + 16, zeros, 100000000);
	size_t left = 1000000, taken, at = 0;
	struct coding_decoder *d = coding_decoder_new(CODING_GZIP, count_up_to, &left, ERR_BAD_JSON);
	struct err e;

	ck_assert_uint_lt(bomb.len, 100000);
	while (coding_decode(d, bomb.at + at, bomb.len - at, &taken, &e) == 0)
		at += taken;
	ck_assert_int_eq(e.code, ERR_BODY_TOO_LARGE);
	ck_assert_uint_lt(left, 20000);
	coding_decoder_free(d);
	free(zeros);
	free(bomb.at);
}
END_TEST

/* The same by a body: the limit holds for what comes out, to the byte. */
START_TEST(body_limit)
{
	static const struct json_slot slots[] = { { .key = "", .datatype = DATATYPE_FP32 } };
	static const char spacious[] = "{\"data\":[1,2]                                                   }";
	struct bytes coded = encoded(CODING_GZIP, spacious, sizeof(spacious) - 1, SIZE_MAX, 4096);
	struct err e;

	for (size_t limit = sizeof(spacious) + 1; limit >= sizeof(spacious) - 3; limit--) {
		struct body *b = body_new(&(struct body_options){
		    .form = FORM_JSON, .coding = CODING_GZIP, .slots = slots, .slot_count = 1, .bytes_max = limit });
		bool fits = limit >= sizeof(spacious) - 1;
		size_t taken;

		ck_assert_ptr_nonnull(b);
		ck_assert_int_eq(body_feed(b, coded.at, coded.len, &taken, &e), fits ? 0 : -1);
		if (fits)
			ck_assert_int_eq(body_finish(b, &e), 0);
		else
			ck_assert_int_eq(e.code, ERR_BODY_TOO_LARGE);
		body_free(b);
	}
	free(coded.at);
}
END_TEST

/* A body that says nothing, or is of the other form, or damaged: the code is its form's. */
START_TEST(body_codes)
{
	static const struct {
		enum form form;
		enum coding coding;
		const char *bytes;
		enum err_code code;
	} cases[] = {
		{ FORM_JSON, CODING_IDENTITY, "", ERR_BAD_JSON },
		{ FORM_NPY, CODING_IDENTITY, "", ERR_BAD_NPY },
		{ FORM_JSON, CODING_GZIP, "", ERR_BAD_JSON },
		{ FORM_NPY, CODING_GZIP, "", ERR_BAD_NPY },
		{ FORM_JSON, CODING_DEFLATE, "x", ERR_BAD_JSON },
		{ FORM_NPY, CODING_DEFLATE, "xy", ERR_BAD_NPY },
		{ FORM_JSON, CODING_GZIP, "{\"data\":[1]}", ERR_BAD_JSON },
		{ FORM_NPY, CODING_IDENTITY, "{\"data\":[1]}", ERR_BAD_NPY },
		{ FORM_JSON, CODING_IDENTITY, "\x93NUMPY", ERR_BAD_JSON },
	};
	struct body *b = body_new(&(struct body_options){
	    .form = cases[_i].form, .coding = cases[_i].coding, .tensors = 1, .bytes_max = 1000 });
	struct err e = { 0 };
	size_t taken;

	if (body_feed(b, cases[_i].bytes, strlen(cases[_i].bytes), &taken, &e) == 0)
		ck_assert_int_eq(body_finish(b, &e), -1);
	ck_assert_int_eq(e.code, cases[_i].code);
	body_free(b);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("coding");
	TCase *codings = tcase_create("codings"), *bodies = tcase_create("bodies");

	tcase_set_timeout(codings, 300); /* byte by byte, instrumented, beside other work */
	tcase_add_test(codings, names);
	tcase_add_loop_test(codings, round_trip, 0, 14);
	tcase_add_loop_test(codings, others_formats, 0, 5);
	tcase_add_loop_test(codings, damage, 0, 2);
	tcase_add_test(codings, members);
	tcase_add_test(codings, stretch);
	tcase_add_test(codings, a_bomb);
	suite_add_tcase(suite, codings);
	tcase_add_test(bodies, body_limit);
	tcase_add_loop_test(bodies, body_codes, 0, 9);
	suite_add_tcase(suite, bodies);
	return suite;
}
