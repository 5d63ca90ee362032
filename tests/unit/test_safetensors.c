/* SPDX-License-Identifier: MIT */
/*
 * The reader of safetensors files: a corpus of good and bad files, each in every cut; values of every type, unaligned
 * and cut; many tensors, in hostile ways; memory.
 */
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "codec/safetensors.h"
#include "tests/unit/safetensors_corpus.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define REPORT_MAX ((size_t)1 << 20)
#define KEPT_MAX 64
#define VALUES_MAX 64

static const struct safetensors_limits unlimited = { .file_bytes_max = UINT64_MAX };

/* A file: the length of the header, the header, and bytes that count. Its values are small whole numbers. */
static struct buf
make_file(const char *header, size_t data)
{
	unsigned char length[8];
	struct buf f;

	buf_init(&f, SIZE_MAX);
	bytes_put_le64(length, strlen(header));
	buf_add(&f, length, sizeof(length));
	buf_text(&f, header);
	for (size_t i = 0; i < data; i++)
		buf_byte(&f, (char)(i * 7 % 100));
	ck_assert(!f.failed);
	return f;
}

/* What a file says, as text; or the error. The values of up to KEPT_MAX tensors are kept. */
struct reading {
	struct safetensors *s;
	double doubles[KEPT_MAX][VALUES_MAX];
	uint64_t wholes[KEPT_MAX][VALUES_MAX];
	struct buf report;
	struct err err;
	bool failed;
	bool asked; /* to keep them */
};

static bool
is_float(enum safetensors_dtype dtype)
{
	return dtype == SAFETENSORS_F16 || dtype == SAFETENSORS_BF16 || dtype == SAFETENSORS_F32 ||
	    dtype == SAFETENSORS_F64;
}

static bool
is_whole(enum safetensors_dtype dtype)
{
	const char *name = safetensors_dtype_name(dtype);

	return name[0] == 'I' || name[0] == 'U';
}

/* Once there is a header: keeps all values that can be kept, the last tensor first. */
static void
keep_all(struct reading *r)
{
	if (r->asked || !safetensors_has_header(r->s))
		return;
	r->asked = true;
	for (size_t i = safetensors_count(r->s); i-- > 0;) {
		const struct safetensors_entry entry = safetensors_entry(r->s, i);

		if (i >= KEPT_MAX || entry.count > VALUES_MAX)
			continue;
		if (is_float(entry.dtype))
			ck_assert_int_eq(safetensors_keep_doubles(r->s, i, r->doubles[i], &r->err), 0);
		else if (is_whole(entry.dtype))
			ck_assert_int_eq(safetensors_keep_wholes(r->s, i, r->wholes[i], &r->err), 0);
	}
}

/* Feeds a piece that is a block of its own. */
static int
feed_piece(struct reading *r, const char *bytes, size_t len)
{
	char *copy = malloc(len);
	size_t taken, rest;
	int result;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, len);
	result = safetensors_feed(r->s, copy, len, &taken, &r->err);
	if (result == 0)
		keep_all(r);
	if (result == 0 && taken < len) {
		ck_assert(safetensors_has_header(r->s));
		result = safetensors_feed(r->s, copy + taken, len - taken, &rest, &r->err);
		ck_assert(result < 0 || rest == len - taken);
	}
	free(copy);
	return result;
}

static void
report_tensor(struct reading *r, size_t i)
{
	const struct safetensors_entry entry = safetensors_entry(r->s, i);
	uint64_t shape[VALUES_MAX];
	size_t found;

	ck_assert_int_eq(safetensors_find(r->s, entry.name.bytes, entry.name.len, &found), 0);
	ck_assert_uint_eq(found, i);
	buf_add(&r->report, entry.name.bytes, entry.name.len);
	buf_printf(&r->report, " %s %u (", safetensors_dtype_name(entry.dtype), entry.rank);
	for (unsigned k = 0; k < safetensors_shape(r->s, i, shape, VALUES_MAX); k++)
		buf_printf(&r->report, "%" PRIu64 ",", shape[k]);
	buf_printf(&r->report, ") %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %d:", entry.count, entry.bytes,
	    entry.begin, entry.header_at, entry.kept);
	for (size_t k = 0; entry.kept && k < entry.count; k++)
		if (is_float(entry.dtype))
			buf_printf(&r->report, " %a", r->doubles[i][k]);
		else
			buf_printf(&r->report, " %" PRIu64, r->wholes[i][k]);
	buf_byte(&r->report, '\n');
}

static void
report_all(struct reading *r)
{
	struct text_span key, value, found;
	size_t cursor = 0, nothing;

	while (safetensors_metadata_next(r->s, &cursor, &key, &value)) {
		ck_assert_int_eq(safetensors_metadata_find(r->s, key.bytes, key.len, &found), 0);
		ck_assert_ptr_eq(found.bytes, value.bytes);
		buf_add(&r->report, key.bytes, key.len);
		buf_text(&r->report, " = ");
		buf_add(&r->report, value.bytes, value.len);
		buf_byte(&r->report, '\n');
	}
	for (size_t i = 0; i < safetensors_count(r->s); i++)
		report_tensor(r, i);
	ck_assert_int_lt(safetensors_find(r->s, "no such tensor", 14, &nothing), 0);
	ck_assert_int_lt(safetensors_metadata_find(r->s, "no such key", 11, &found), 0);
}

/* Reads a file in pieces: the first has `first` bytes, each other one `piece`. */
static void
read_cut(struct reading *r, const char *bytes, size_t len, size_t first, size_t piece)
{
	size_t part;

	memset(r, 0, sizeof(*r));
	buf_init(&r->report, REPORT_MAX);
	r->s = safetensors_new(&unlimited, NULL);
	ck_assert_ptr_nonnull(r->s);
	for (size_t at = 0; at < len && !r->failed; at += part) {
		part = at == 0 && first > 0 ? first : piece;
		part = part < len - at ? part : len - at;
		r->failed = feed_piece(r, bytes + at, part) < 0;
	}
	r->failed = r->failed || safetensors_finish(r->s, &r->err) < 0;
	if (!r->failed)
		report_all(r);
	ck_assert(!r->report.failed);
}

static void
reading_fini(struct reading *r)
{
	safetensors_free(r->s);
	buf_fini(&r->report);
}

/* Every way to cut a file comes to what the whole comes to. Returns the whole's. */
static struct reading *
read_all_cuts(const char *bytes, size_t len)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 64 };
	struct reading *whole = malloc(sizeof(*whole)), *cut = malloc(sizeof(*cut));

	ck_assert(whole != NULL && cut != NULL);
	read_cut(whole, bytes, len, 0, len + 1);
	for (size_t i = 0; i < len + COUNT(pieces); i++) {
		read_cut(cut, bytes, len, i < len ? i : 0, i < len ? len : pieces[i - len]);
		ck_assert_int_eq(cut->failed, whole->failed);
		ck_assert_str_eq(cut->err.detail, whole->err.detail);
		ck_assert_uint_eq(cut->report.len, whole->report.len);
		ck_assert(
		    whole->report.len == 0 || memcmp(cut->report.bytes, whole->report.bytes, whole->report.len) == 0);
		reading_fini(cut);
	}
	free(cut);
	return whole;
}

static void
reading_free(struct reading *r)
{
	reading_fini(r);
	free(r);
}

static void
check_refused(const struct reading *r, enum err_code code, uint64_t offset, const char *detail)
{
	ck_assert_msg(r->failed, "accepted: %s", detail);
	ck_assert_msg(strstr(r->err.detail, detail) != NULL, "not \"%s\": %s", detail, r->err.detail);
	ck_assert_int_eq(r->err.code, code);
	ck_assert_msg(r->err.has_offset && r->err.offset == offset, "not at %" PRIu64 ": %s", offset, r->err.detail);
}

START_TEST(bad_headers)
{
	const struct safetensors_header_case *c = &safetensors_bad_headers[_i];
	struct buf f = make_file(c->header, c->data);
	struct reading *r = read_all_cuts(f.bytes, f.len);

	check_refused(r, ERR_BAD_SAFETENSORS, c->offset, c->detail);
	reading_free(r);
	buf_fini(&f);
}
END_TEST

START_TEST(files)
{
	const struct safetensors_file_case *c = &safetensors_files[_i];
	struct reading *r = read_all_cuts(c->bytes, c->len);

	if (c->detail != NULL)
		check_refused(r, ERR_BAD_SAFETENSORS, c->offset, c->detail);
	else
		ck_assert_msg(!r->failed, "%s", r->err.detail);
	reading_free(r);
}
END_TEST

/* A good file that is cut off at any byte is refused there. */
static void
check_cut_off(const char *bytes, size_t len)
{
	struct reading *r = malloc(sizeof(*r));

	ck_assert_ptr_nonnull(r);
	for (size_t i = 0; i < len; i++) {
		read_cut(r, bytes, i, 0, len);
		check_refused(r, ERR_BAD_SAFETENSORS, i, "the file");
		reading_fini(r);
	}
	free(r);
}

START_TEST(good_headers)
{
	struct buf f = make_file(safetensors_good_headers[_i].header, safetensors_good_headers[_i].data);
	struct reading *r = read_all_cuts(f.bytes, f.len);

	ck_assert_msg(!r->failed, "%s", r->err.detail);
	check_cut_off(f.bytes, f.len);
	reading_free(r);
	buf_fini(&f);
}
END_TEST

/* What of a file is seen. */
START_TEST(meaning)
{
	static const char expected[] = "a \"\\ = \xf0\x9d\x84\x9e\n"
				       "bn1.weight F32 2 (1,3,) 3 12 1 56 1: 0x1p+0 -0x1p+1 0x1.8p-1\n"
				       "n I64 0 () 1 8 13 127 1: 258\n"
				       "z U8 1 (0,) 0 0 13 182 1:\n"
				       "f BOOL 1 (1,) 1 1 0 236 0:\n";
	struct buf f = make_file("{\"__metadata__\":{\"a \\\"\\\\\":\"\\uD834\\udd1e\"},\n     "
				 "\"bn1\\u002eweight\":{\"dtype\":\"F32\",\"shape\":[1,3],\"data_offsets\":[1,13]}, "
				 "\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[13,21]}, "
				 "\"z\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[13,13]},"
				 "\"f\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]}}",
	    0);
	struct reading *r;

	buf_add(&f, "\1\0\0\x80\x3f\0\0\0\xc0\0\0\x40\x3f\2\1\0\0\0\0\0\0", 21);
	r = read_all_cuts(f.bytes, f.len);
	ck_assert_msg(!r->failed, "%s", r->err.detail);
	buf_byte(&r->report, '\0');
	ck_assert_str_eq(r->report.bytes, expected);
	reading_free(r);
	buf_fini(&f);
}
END_TEST

/* A file with one tensor of two values. */
static struct buf
make_values(const char *dtype, const void *data, size_t len)
{
	char header[200];
	struct buf f;

	snprintf(
	    header, sizeof(header), "{\"t\":{\"dtype\":\"%s\",\"shape\":[2],\"data_offsets\":[0,%zu]}}", dtype, len);
	f = make_file(header, 0);
	buf_add(&f, data, len);
	return f;
}

START_TEST(floats)
{
	static const struct {
		const char *dtype, *data;
		size_t len;
		double values[2];
	} cases[] = {
		{ "F64", "\0\0\0\0\0\0\xf0\x7f\1\0\0\0\0\0\0\x80", 16, { INFINITY, -0x1p-1074 } },
		{ "F64", "\x9a\x99\x99\x99\x99\x99\xb9\x3f\0\0\0\0\0\0\0\x80", 16, { 0.1, -0.0 } },
		{ "F32", "\1\0\0\0\0\0\x80\xff", 8, { 0x1p-149, -INFINITY } },
		{ "F32", "\0\0\xc0\x7f\xff\xff\x7f\x7f", 8, { NAN, 0x1.fffffep127 } },
		{ "F16", "\1\0\xff\xfb", 4, { 0x1p-24, -65504 } },
		{ "F16", "\0\x7c\0\x7e", 4, { INFINITY, NAN } },
		{ "BF16", "\1\0\x80\xbf", 4, { 0x1p-133, -1 } },
		{ "BF16", "\x80\xff\xc0\x7f", 4, { -INFINITY, NAN } },
	};
	const double *values;
	struct reading *r;
	struct buf f;

	for (size_t i = 0; i < COUNT(cases); i++) {
		f = make_values(cases[i].dtype, cases[i].data, cases[i].len);
		r = read_all_cuts(f.bytes, f.len);
		ck_assert_msg(!r->failed, "%s", r->err.detail);
		values = r->doubles[0];
		for (size_t k = 0; k < 2; k++)
			ck_assert_msg(isnan(cases[i].values[k]) ?
				isnan(values[k]) :
				values[k] == cases[i].values[k] && !signbit(values[k]) == !signbit(cases[i].values[k]),
			    "%s: %a", cases[i].dtype, values[k]);
		reading_free(r);
		buf_fini(&f);
	}
}
END_TEST

START_TEST(whole_numbers)
{
	static const struct {
		const char *dtype, *data;
		size_t len;
		uint64_t values[2];
	} cases[] = {
		{ "U64", "\xff\xff\xff\xff\xff\xff\xff\xff\1\0\0\0\0\0\0\0", 16, { UINT64_MAX, 1 } },
		{ "I64", "\xff\xff\xff\xff\xff\xff\xff\x7f\0\1\0\0\0\0\0\0", 16, { INT64_MAX, 256 } },
		{ "U32", "\xff\xff\xff\xff\0\0\0\x80", 8, { UINT32_MAX, 1U << 31 } },
		{ "I32", "\xff\xff\xff\x7f\0\0\0\0", 8, { INT32_MAX, 0 } },
		{ "U16", "\xff\xff\0\1", 4, { UINT16_MAX, 256 } },
		{ "I16", "\xff\x7f\0\1", 4, { INT16_MAX, 256 } },
		{ "U8", "\xff\7", 2, { UINT8_MAX, 7 } },
		{ "I8", "\x7f\7", 2, { INT8_MAX, 7 } },
	};
	static const struct {
		const char *dtype, *data;
		size_t len;
		const char *detail;
	} bad[] = {
		{ "I64", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80", 16,
		    "expected a whole number that is at least 0, not -9223372036854775808" },
		{ "I32", "\0\0\0\0\xff\xff\xff\xff", 8, "expected a whole number that is at least 0, not -1" },
		{ "I16", "\0\0\0\xff", 4, "expected a whole number that is at least 0, not -256" },
		{ "I8", "\0\x80", 2, "expected a whole number that is at least 0, not -128" },
	};
	struct reading *r;
	struct buf f;

	for (size_t i = 0; i < COUNT(cases); i++) {
		f = make_values(cases[i].dtype, cases[i].data, cases[i].len);
		r = read_all_cuts(f.bytes, f.len);
		ck_assert_msg(!r->failed, "%s", r->err.detail);
		ck_assert_mem_eq(r->wholes[0], cases[i].values, sizeof(cases[i].values));
		reading_free(r);
		buf_fini(&f);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		f = make_values(bad[i].dtype, bad[i].data, bad[i].len);
		r = read_all_cuts(f.bytes, f.len);
		check_refused(r, ERR_BAD_SAFETENSORS, f.len - bad[i].len / 2, bad[i].detail);
		reading_free(r);
		buf_fini(&f);
	}
}
END_TEST

/* A reader that has the header of this file. */
static struct safetensors *
read_header(const struct safetensors_limits *limits, struct budget_share *memory, const struct buf *f, struct err *e)
{
	struct safetensors *s = safetensors_new(limits, memory);
	size_t taken;

	ck_assert_ptr_nonnull(s);
	*e = (struct err){ 0 };
	if (safetensors_feed(s, f->bytes, f->len, &taken, e) == 0) {
		ck_assert(safetensors_has_header(s));
		return s;
	}
	safetensors_free(s);
	return NULL;
}

START_TEST(types_that_cannot_be_kept)
{
	struct buf f = make_values("I32", "\0\0\0\0\0\0\0\0", 8), g = make_values("F32", "\0\0\0\0\0\0\0\0", 8);
	double values[2];
	uint64_t wholes[2];
	struct safetensors *s;
	struct err e;

	s = read_header(&unlimited, NULL, &f, &e);
	ck_assert_int_lt(safetensors_keep_doubles(s, 0, values, &e), 0);
	ck_assert_int_eq(e.code, ERR_BAD_SAFETENSORS);
	ck_assert_str_eq(e.detail, "tensor \"t\" has the dtype I32; expected F16, BF16, F32 or F64 (at byte 9)");
	safetensors_free(s);
	s = read_header(&unlimited, NULL, &g, &e);
	ck_assert_int_lt(safetensors_keep_wholes(s, 0, wholes, &e), 0);
	ck_assert_str_eq(
	    e.detail, "tensor \"t\" has the dtype F32; expected I64 or another type of whole numbers (at byte 9)");
	safetensors_free(s);
	buf_fini(&f);
	buf_fini(&g);
}
END_TEST

/* The limit of the file is held from the header on, and a length that is known beforehand is compared with it. */
START_TEST(file_limits)
{
	static const struct {
		uint64_t max, known;
		enum err_code code;
		uint64_t offset;
	} cases[] = {
		{ 79, 0, ERR_NONE, 0 },
		{ 79, 79, ERR_NONE, 0 },
		{ 78, 0, ERR_BODY_TOO_LARGE, 9 },
		{ 63, 0, ERR_BODY_TOO_LARGE, 9 },
		{ 62, 0, ERR_BODY_TOO_LARGE, 0 },
		{ 0, 0, ERR_BODY_TOO_LARGE, 0 },
		{ UINT64_MAX, 78, ERR_BAD_SAFETENSORS, 78 },
		{ UINT64_MAX, 80, ERR_BAD_SAFETENSORS, 79 },
		{ UINT64_MAX, 62, ERR_BAD_SAFETENSORS, 0 },
		{ UINT64_MAX, 1, ERR_BAD_SAFETENSORS, 0 },
	};
	struct buf f = make_file("{\"t\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}}", 16);
	struct safetensors *s;
	struct err e;

	ck_assert_uint_eq(f.len, 79);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct safetensors_limits limits = { cases[i].max, cases[i].known };

		s = read_header(&limits, NULL, &f, &e);
		ck_assert_int_eq(s == NULL, cases[i].code != ERR_NONE);
		ck_assert_int_eq(e.code, cases[i].code);
		ck_assert_uint_eq(e.offset, cases[i].offset);
		safetensors_free(s);
	}
	buf_fini(&f);
}
END_TEST

/* A header of `n` tensors without values, and whatever `name` makes of their numbers. */
static struct buf
make_many(size_t n, void (*name)(struct buf *b, size_t i), bool backwards)
{
	struct buf header, f;

	buf_init(&header, SIZE_MAX);
	buf_byte(&header, '{');
	for (size_t i = 0; i < n; i++) {
		const size_t at = backwards ? n - 1 - i : i;

		buf_text(&header, i == 0 ? "\"" : ",\"");
		name(&header, i);
		buf_printf(&header, "\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}", at, at + 1);
	}
	buf_add(&header, "}", 2);
	f = make_file(header.bytes, n);
	buf_fini(&header);
	return f;
}

static void
name_plain(struct buf *b, size_t i)
{
	buf_printf(b, "model.layers.%zu.mlp.weight", i);
}

static void
name_same(struct buf *b, size_t i)
{
	buf_printf(b, "t%zu", i % 99999);
}

#define MANY ((size_t)100000)

/* Many tensors cost little memory, in whatever order their data is. */
START_TEST(many_tensors)
{
	struct budget budget;
	struct budget_share memory = { .budget = &budget };
	struct buf f = make_many(MANY, name_plain, _i != 0);
	struct safetensors *s;
	struct err e;
	size_t found;

	budget_init(&budget, f.len - MANY + ((size_t)8 << 20));
	s = read_header(&unlimited, &memory, &f, &e);
	ck_assert_msg(s != NULL, "%s", e.detail);
	ck_assert_uint_eq(safetensors_count(s), MANY);
	ck_assert_int_eq(safetensors_find(s, "model.layers.77777.mlp.weight", 29, &found), 0);
	ck_assert_uint_eq(found, 77777);
	ck_assert_uint_eq(safetensors_entry(s, 77777).begin, _i != 0 ? MANY - 1 - 77777 : 77777);
	safetensors_free(s);
	ck_assert_uint_eq(memory.bytes, 0);
	budget_give_all(&memory);
	buf_fini(&f);
}
END_TEST

START_TEST(duplicate_of_many)
{
	struct buf f = make_many(MANY, name_same, false);
	struct err e;

	ck_assert_ptr_null(read_header(&unlimited, NULL, &f, &e));
	ck_assert_msg(strstr(e.detail, "tensor \"t0\" is given twice") != NULL, "%s", e.detail);
	buf_fini(&f);
}
END_TEST

/* Memory is taken as bytes come, not as they are announced. */
START_TEST(little_for_an_announcement)
{
	static const char head[] = "\0\341\365\5\0\0\0\0{\"t\":{\"dty";
	struct budget budget;
	struct budget_share memory = { .budget = &budget };
	struct safetensors *s = safetensors_new(&unlimited, &memory);
	struct err e;
	size_t taken;

	budget_init(&budget, 1024);
	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(safetensors_feed(s, head, sizeof(head) - 1, &taken, &e), 0);
	safetensors_free(s);
	budget_give_all(&memory);
}
END_TEST

/* With less memory than a file needs it is refused, in each part of the file, and what was taken is given back. */
START_TEST(no_memory)
{
	struct buf f =
	    make_file("{\"__metadata__\":{\"a\":\"b\"},\"u\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[8,16]},"
		      "\"t\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}",
		16);
	unsigned read = 0;

	for (size_t room = 0; room < 4096; room += 16) {
		struct budget budget;
		struct budget_share memory = { .budget = &budget };
		struct safetensors *s = safetensors_new(&unlimited, &memory);
		double values[2];
		struct err e = { 0 };
		size_t taken, rest;

		ck_assert_ptr_nonnull(s);
		budget_init(&budget, room);
		if (safetensors_feed(s, f.bytes, f.len, &taken, &e) == 0 &&
		    safetensors_keep_doubles(s, 0, &values[0], &e) == 0 &&
		    safetensors_keep_doubles(s, 1, &values[1], &e) == 0 &&
		    safetensors_feed(s, f.bytes + taken, f.len - taken, &rest, &e) == 0)
			read++;
		else
			ck_assert_int_eq(e.code, ERR_BODY_TOO_LARGE);
		safetensors_free(s);
		ck_assert_uint_eq(memory.bytes, 0);
		budget_give_all(&memory);
	}
	ck_assert_uint_gt(read, 0);
	ck_assert_uint_lt(read, 4096 / 16 - 20);
	buf_fini(&f);
}
END_TEST

/* Lists and objects that are not known may be nested, but not without end. */
START_TEST(nesting)
{
	for (size_t depth = 96; depth < 200; depth++) {
		struct err e = { 0 };
		struct buf header, f;
		struct safetensors *s;

		buf_init(&header, SIZE_MAX);
		buf_text(&header, "{\"t\":{\"x\":");
		for (size_t i = 0; i < depth; i++)
			buf_byte(&header, '[');
		for (size_t i = 0; i < depth; i++)
			buf_byte(&header, ']');
		buf_text(&header, ",\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}");
		buf_byte(&header, '\0');
		f = make_file(header.bytes, 0);
		s = read_header(&unlimited, NULL, &f, &e);
		ck_assert_msg((s != NULL) == (depth <= 98), "%zu: %s", depth, e.detail);
		ck_assert_int_eq(e.has_offset && e.offset == 8 + 10 + 98, depth > 98);
		safetensors_free(s);
		buf_fini(&f);
		buf_fini(&header);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("safetensors");
	TCase *corpus = tcase_create("corpus"), *values = tcase_create("values"), *sizes = tcase_create("sizes");

	tcase_add_loop_test(corpus, bad_headers, 0, (int)COUNT(safetensors_bad_headers));
	tcase_add_loop_test(corpus, files, 0, (int)COUNT(safetensors_files));
	tcase_add_loop_test(corpus, good_headers, 0, (int)COUNT(safetensors_good_headers));
	tcase_add_test(corpus, meaning);
	tcase_add_test(values, floats);
	tcase_add_test(values, whole_numbers);
	tcase_add_test(values, types_that_cannot_be_kept);
	tcase_add_test(sizes, file_limits);
	tcase_add_loop_test(sizes, many_tensors, 0, 2);
	tcase_add_test(sizes, duplicate_of_many);
	tcase_add_test(sizes, little_for_an_announcement);
	tcase_add_test(sizes, no_memory);
	tcase_add_test(sizes, nesting);
	suite_add_tcase(suite, corpus);
	suite_add_tcase(suite, values);
	suite_add_tcase(suite, sizes);
	return suite;
}
