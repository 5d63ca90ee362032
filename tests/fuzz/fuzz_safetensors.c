/* SPDX-License-Identifier: MIT */
/*
 * The reader and the writer of safetensors files. The input is three bytes of setup (the limits, whether the header's
 * length is to be put right, how the file is cut) and a file. If it is to be put right, what follows is the header, a
 * NUL, and the data.
 *
 *   - In pieces a file comes to the same as whole: the same error, or the same tensors, texts and values.
 *   - Without limits a file is accepted exactly if it is one to an independent judge, who finds the same tensors, texts
 *     and values in it; or if all that is wrong is a whole number below 0, in a tensor that is kept.
 *   - What stands before an error's offset is not to blame: fed alone it is taken, or lacks the same at its end.
 *   - The tensors of a file that is accepted can be written: that is a file to the judge, with the same tensors and
 *     texts, and written again it has the same bytes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "codec/json_scan.h"
#include "codec/safetensors.h"
#include "codec/safetensors_write.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/safetensors_judge.h"

#define SETUP_BYTES 3
#define RIGHT_LENGTH 0x80
#define KNOWN_LENGTH 0x40
#define FILE_MAX ((size_t)1 << 20)

static const uint64_t limits[] = { UINT64_MAX, 0, 7, 8, 9, 16, 70, 200, FILE_MAX };

/* A file being read, and the values that are kept, if it ends. */
struct reading {
	struct safetensors *s;
	size_t len; /* of the file */
	double **doubles;
	uint64_t **wholes;
	size_t count;
};

static void *
room(size_t count, size_t size)
{
	void *p = calloc(count + 1, size);

	fuzz_check(p != NULL, "no memory");
	return p;
}

static bool
is_float(enum safetensors_dtype dtype)
{
	const char *name = safetensors_dtype_name(dtype);

	return strcmp(name, "F16") == 0 || strcmp(name, "BF16") == 0 || strcmp(name, "F32") == 0 ||
	    strcmp(name, "F64") == 0;
}

static bool
is_whole(enum safetensors_dtype dtype)
{
	return strchr("IU", safetensors_dtype_name(dtype)[0]) != NULL;
}

/* Keeps each tensor that the rest of the file can hold, the last first. */
static void
keep(struct reading *r)
{
	struct err e;

	r->count = safetensors_count(r->s);
	r->doubles = room(r->count, sizeof(*r->doubles));
	r->wholes = room(r->count, sizeof(*r->wholes));
	for (size_t i = r->count; i-- > 0;) {
		const struct safetensors_entry entry = safetensors_entry(r->s, i);

		if (entry.bytes > r->len)
			continue;
		r->doubles[i] = is_float(entry.dtype) ? room((size_t)entry.count, sizeof(double)) : NULL;
		r->wholes[i] = is_whole(entry.dtype) ? room((size_t)entry.count, sizeof(uint64_t)) : NULL;
		fuzz_check(
		    r->doubles[i] == NULL || safetensors_keep_doubles(r->s, i, r->doubles[i], &e) == 0, "not kept");
		fuzz_check(r->wholes[i] == NULL || safetensors_keep_wholes(r->s, i, r->wholes[i], &e) == 0, "not kept");
	}
}

static int
feed(void *reading, const char *bytes, size_t len, struct err *e)
{
	struct reading *r = reading;
	const bool had_header = safetensors_has_header(r->s);
	size_t taken, rest;

	if (safetensors_feed(r->s, bytes, len, &taken, e) < 0)
		return -1;
	if (!had_header && safetensors_has_header(r->s))
		keep(r);
	fuzz_check(taken == len || (!had_header && safetensors_has_header(r->s)), "it stops without a header");
	if (taken == len)
		return 0;
	if (safetensors_feed(r->s, bytes + taken, len - taken, &rest, e) < 0)
		return -1;
	fuzz_check(rest == len - taken, "bytes of the data are not taken");
	return 0;
}

static struct reading *
reading_new(const struct safetensors_limits *limit, size_t len)
{
	struct reading *r = room(1, sizeof(*r));

	r->s = safetensors_new(limit, NULL);
	r->len = len;
	fuzz_check(r->s != NULL, "no memory");
	return r;
}

static void
reading_free(struct reading *r)
{
	for (size_t i = 0; i < r->count; i++) {
		free(r->doubles[i]);
		free(r->wholes[i]);
	}
	free(r->doubles);
	free(r->wholes);
	safetensors_free(r->s);
	free(r);
}

/* Reads a file. e->code is ERR_NONE if it is accepted. */
static struct reading *
read_file(
    const struct safetensors_limits *limit, const char *file, size_t len, const struct fuzz_cuts *cuts, struct err *e)
{
	struct reading *r = reading_new(limit, len);

	*e = (struct err){ 0 };
	if (fuzz_feed(feed, r, file, len, cuts, e) == 0 && safetensors_finish(r->s, e) == 0)
		e->code = ERR_NONE;
	else
		fuzz_check(e->code != ERR_NONE, "refused without an error");
	return r;
}

static void
check_same_text(struct text_span ours, const struct judged_text *theirs)
{
	fuzz_check(ours.len == theirs->len && memcmp(ours.bytes, theirs->bytes, ours.len) == 0, "another text");
}

static void
check_values(const struct reading *r, size_t i, const struct judged_tensor *t, const char *data)
{
	double value;

	for (size_t k = 0; r->doubles[i] != NULL && k < t->count; k++) {
		value = safetensors_judge_double(t, data, k);
		fuzz_check(
		    isnan(value) ? isnan(r->doubles[i][k]) : memcmp(&value, &r->doubles[i][k], sizeof(value)) == 0,
		    "value %zu is not the file's", k);
	}
	for (size_t k = 0; r->wholes[i] != NULL && k < t->count; k++)
		fuzz_check(safetensors_judge_whole(t, data, k) == r->wholes[i][k], "number %zu is not the file's", k);
}

/* Tensor `i` is what the judge reads. */
static void
check_tensor(const struct reading *r, size_t i, const struct judged_tensor *t, const char *data)
{
	const struct safetensors_entry entry = safetensors_entry(r->s, i);
	uint64_t shape[COUNT(t->shape)];
	size_t found;
	unsigned n;

	check_same_text(entry.name, &t->name);
	fuzz_check(safetensors_find(r->s, t->name.bytes, t->name.len, &found) == 0 && found == i, "not found by name");
	fuzz_check(strcmp(safetensors_dtype_name(entry.dtype), t->dtype) == 0, "another dtype");
	fuzz_check(entry.rank == t->rank && entry.count == t->count, "another shape");
	n = safetensors_shape(r->s, i, shape, COUNT(shape));
	fuzz_check(
	    n == (t->rank < COUNT(shape) ? t->rank : COUNT(shape)) && memcmp(shape, t->shape, n * sizeof(*shape)) == 0,
	    "another shape");
	fuzz_check(entry.begin == t->begin && entry.bytes == t->end - t->begin, "another place");
	check_values(r, i, t, data);
}

/* What was accepted is what the judge reads. */
static void
check_reading(const struct reading *r, const char *file, size_t len)
{
	struct safetensors_judgement *j = safetensors_judge(file, len, JSON_DEPTH_MAX);
	struct text_span key, value;
	size_t cursor = 0, n;

	fuzz_check(j->valid, "accepted, but not valid");
	fuzz_check(r->count == j->count, "%zu tensors where %zu are", r->count, j->count);
	for (size_t i = 0; i < j->count; i++)
		check_tensor(r, i, &j->tensors[i], file + j->data_at);
	for (n = 0; safetensors_metadata_next(r->s, &cursor, &key, &value); n++) {
		fuzz_check(n < j->pairs, "too many texts");
		check_same_text(key, &j->keys[n]);
		check_same_text(value, &j->texts[n]);
		fuzz_check(safetensors_metadata_find(r->s, key.bytes, key.len, &value) == 0, "not found by key");
		check_same_text(value, &j->texts[n]);
	}
	fuzz_check(n == j->pairs, "%zu texts where %zu are", n, j->pairs);
	safetensors_judgement_free(j);
}

static void
check_same_error(const struct err *a, const struct err *b)
{
	fuzz_check(a->code == b->code && a->has_offset == b->has_offset && a->offset == b->offset &&
		strcmp(a->detail, b->detail) == 0,
	    "the errors differ: %s | %s", a->detail, b->detail);
}

static bool
has_number_below_0(const struct safetensors_judgement *j, const char *data)
{
	for (size_t i = 0; i < j->count; i++)
		for (size_t k = 0; j->tensors[i].dtype[0] == 'I' && k < j->tensors[i].count; k++)
			if (safetensors_judge_whole(&j->tensors[i], data, k) < 0)
				return true;
	return false;
}

static void
check_refused(const struct err *e, const struct safetensors_limits *limit, const struct fuzz_cuts *cuts,
    const char *file, size_t len)
{
	struct safetensors_judgement *j = safetensors_judge(file, len, JSON_DEPTH_MAX);
	struct reading *r = reading_new(limit, len);
	struct err before;

	fuzz_check(e->code == ERR_BAD_SAFETENSORS || e->code == ERR_BODY_TOO_LARGE, "%s", e->detail);
	fuzz_check(e->has_offset && e->offset <= len, "the offset lies beyond the file: %s", e->detail);
	fuzz_check(fuzz_feed(feed, r, file, (size_t)e->offset, cuts, &before) == 0 || before.offset == e->offset,
	    "wrong before: %s", e->detail);
	reading_free(r);
	if (limit->file_bytes_max == UINT64_MAX && j->valid)
		fuzz_check(has_number_below_0(j, file + j->data_at), "refused: %s", e->detail);
	if (j->valid && len > limit->file_bytes_max)
		fuzz_check(e->code == ERR_BODY_TOO_LARGE, "too large, but %s", e->detail);
	safetensors_judgement_free(j);
}

/* What the writer takes, of a file that was read: the tensors backwards. Keys must not have NULs. */
struct writing {
	struct safetensors_contents contents;
	uint64_t **shapes;
	char **keys;
};

static void
writing_fill(struct writing *w, const struct safetensors *s)
{
	const size_t n = safetensors_count(s);
	struct text_span key, value;
	size_t cursor = 0;

	*w = (struct writing){ .shapes = room(n, sizeof(*w->shapes)) };
	w->contents.tensors = room(n, sizeof(*w->contents.tensors));
	w->contents.count = n;
	for (size_t i = 0; i < n; i++) {
		const struct safetensors_entry entry = safetensors_entry(s, i);

		w->shapes[i] = room(entry.rank, sizeof(uint64_t));
		fuzz_check(safetensors_shape(s, i, w->shapes[i], entry.rank) == entry.rank, "not all extents");
		w->contents.tensors[n - 1 - i] = (struct safetensors_tensor){ .name = entry.name.bytes,
			.name_len = entry.name.len,
			.dtype = entry.dtype,
			.rank = entry.rank,
			.shape = w->shapes[i],
			.tag = i };
	}
	while (safetensors_metadata_next(s, &cursor, &key, &value))
		w->contents.metadata_count++;
	w->contents.metadata = room(w->contents.metadata_count, sizeof(*w->contents.metadata));
	w->keys = room(w->contents.metadata_count, sizeof(*w->keys));
	cursor = 0;
	for (size_t i = 0; safetensors_metadata_next(s, &cursor, &key, &value); i++) {
		w->keys[i] = fuzz_text(key.bytes, key.len);
		w->contents.metadata[i] = (struct safetensors_pair){ w->keys[i], value.bytes, value.len };
	}
}

static void
writing_fini(struct writing *w)
{
	for (size_t i = 0; i < w->contents.count; i++)
		free(w->shapes[i]);
	for (size_t i = 0; i < w->contents.metadata_count; i++)
		free(w->keys[i]);
	free(w->shapes);
	free(w->keys);
	free(w->contents.tensors);
	free(w->contents.metadata);
}

/* Writes what `s` has, with 0 for all data. */
static void
write_file(const struct safetensors *s, struct buf *out)
{
	struct writing w;
	uint64_t data_bytes;
	struct err e;

	writing_fill(&w, s);
	buf_init(out, FILE_MAX);
	fuzz_check(safetensors_write_header(&w.contents, out, &data_bytes, &e) == 0, "not written: %s", e.detail);
	fuzz_check(out->len % 8 == 0, "%zu bytes are not padded", out->len);
	for (size_t i = 0; i < w.contents.count; i++)
		fuzz_check(w.contents.tensors[i].bytes == safetensors_entry(s, w.contents.tensors[i].tag).bytes,
		    "another length");
	for (uint64_t i = 0; i < data_bytes; i++)
		buf_byte(out, '\0');
	fuzz_check(!out->failed, "no memory");
	writing_fini(&w);
}

static bool
has_key_with_nul(const struct safetensors *s)
{
	struct text_span key, value;
	size_t cursor = 0;

	while (safetensors_metadata_next(s, &cursor, &key, &value))
		if (memchr(key.bytes, '\0', key.len) != NULL)
			return true;
	return false;
}

/* Each tensor of `a` is in `b`, with the same type and shape; and each text. */
static void
check_contains(const struct safetensors *a, const struct safetensors *b)
{
	struct text_span key, value, other;
	size_t cursor = 0, found;

	for (size_t i = 0; i < safetensors_count(a); i++) {
		const struct safetensors_entry x = safetensors_entry(a, i);
		struct safetensors_entry y;
		uint64_t *left = room(x.rank, sizeof(*left)), *right = room(x.rank, sizeof(*right));

		fuzz_check(safetensors_find(b, x.name.bytes, x.name.len, &found) == 0, "a tensor is lost");
		y = safetensors_entry(b, found);
		fuzz_check(x.dtype == y.dtype && x.rank == y.rank && x.bytes == y.bytes, "a tensor has changed");
		safetensors_shape(a, i, left, x.rank);
		safetensors_shape(b, found, right, x.rank);
		fuzz_check(memcmp(left, right, x.rank * sizeof(*left)) == 0, "a shape has changed");
		free(left);
		free(right);
	}
	while (safetensors_metadata_next(a, &cursor, &key, &value)) {
		fuzz_check(safetensors_metadata_find(b, key.bytes, key.len, &other) == 0, "a text is lost");
		fuzz_check(
		    value.len == other.len && memcmp(value.bytes, other.bytes, value.len) == 0, "a text has changed");
	}
}

static void
check_writes(const struct safetensors *s)
{
	static const struct fuzz_cuts none = { 0, 0 };
	static const struct safetensors_limits unlimited = { .file_bytes_max = UINT64_MAX };
	struct reading *again;
	struct buf once, twice;
	struct err e;

	if (has_key_with_nul(s))
		return;
	write_file(s, &once);
	again = read_file(&unlimited, once.bytes, once.len, &none, &e);
	fuzz_check(e.code == ERR_NONE, "what the writer wrote is refused: %s", e.detail);
	check_reading(again, once.bytes, once.len);
	fuzz_check(safetensors_count(s) == safetensors_count(again->s), "another number of tensors");
	check_contains(s, again->s);
	write_file(again->s, &twice);
	fuzz_check(once.len == twice.len && memcmp(once.bytes, twice.bytes, once.len) == 0, "written again it differs");
	reading_free(again);
	buf_fini(&once);
	buf_fini(&twice);
}

/* The file of an input: as it stands, or with the right length before its header. */
static char *
make_file(const uint8_t *bytes, size_t len, bool right_length, size_t *file_len)
{
	const uint8_t *end = right_length ? memchr(bytes, '\0', len) : NULL;
	const size_t header = end == NULL ? len : (size_t)(end - bytes);
	char *file;

	if (!right_length) {
		*file_len = len;
		return fuzz_copy(bytes, len);
	}
	*file_len = 8 + len - (end != NULL);
	file = room(*file_len, 1);
	bytes_put_le64((unsigned char *)file, header);
	memcpy(file + 8, bytes, header);
	if (end != NULL)
		memcpy(file + 8 + header, end + 1, len - header - 1);
	return file;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct fuzz_cuts none = { 0, 0 };
	struct safetensors_limits limit;
	struct fuzz_cuts cuts;
	struct reading *whole, *cut;
	struct err e, cut_e;
	size_t file_len;
	char *file;

	if (len <= SETUP_BYTES)
		return 0;
	file = make_file(bytes + SETUP_BYTES, len - SETUP_BYTES, (bytes[0] & RIGHT_LENGTH) != 0, &file_len);
	limit.file_bytes_max = limits[(bytes[0] & ~(RIGHT_LENGTH | KNOWN_LENGTH)) % COUNT(limits)];
	limit.file_bytes = (bytes[0] & KNOWN_LENGTH) != 0 ? file_len : 0;
	cuts = (struct fuzz_cuts){ .first = bytes[1], .step = bytes[2] };
	whole = read_file(&limit, file, file_len, &none, &e);
	cut = read_file(&limit, file, file_len, &cuts, &cut_e);
	check_same_error(&e, &cut_e);
	if (e.code == ERR_NONE) {
		check_reading(whole, file, file_len);
		check_reading(cut, file, file_len);
		check_writes(whole->s);
	} else {
		check_refused(&e, &limit, &cuts, file, file_len);
	}
	reading_free(whole);
	reading_free(cut);
	free(file);
	return 0;
}
