/* SPDX-License-Identifier: MIT */
/*
 * The writer of safetensors files. Files that the reference's layout gave (tests/vectors/safetensors/, and those of the
 * reference's own tests) are read and written again: the bytes must be the same, however the tensors were ordered. Run
 * from the top of the repository.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/safetensors.h"
#include "codec/safetensors_write.h"
#include "tests/unit/safetensors_corpus.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FILE_MAX 65536
#define TENSORS_MAX 300
#define PAIRS_MAX 16
#define RANK_MAX 4
#define KEY_MAX 16

static const char *const names[] = { "empty", "empty_metadata", "metadata", "every_dtype", "no_values", "names",
	"layers", "many" };

/* What a file has, to be written. */
struct copy {
	struct safetensors_tensor tensors[TENSORS_MAX];
	uint64_t shapes[TENSORS_MAX][RANK_MAX];
	struct safetensors_pair pairs[PAIRS_MAX];
	char keys[PAIRS_MAX][KEY_MAX];
	struct safetensors_contents contents;
};

static struct safetensors *
read_file(const char *bytes, size_t len)
{
	const struct safetensors_limits limits = { .file_bytes_max = len, .file_bytes = len };
	struct safetensors *s = safetensors_new(&limits, NULL);
	size_t taken, rest;
	struct err e = { 0 };

	ck_assert_ptr_nonnull(s);
	ck_assert_msg(safetensors_feed(s, bytes, len, &taken, &e) == 0, "%s", e.detail);
	ck_assert_msg(safetensors_feed(s, bytes + taken, len - taken, &rest, &e) == 0, "%s", e.detail);
	ck_assert_msg(safetensors_finish(s, &e) == 0, "%s", e.detail);
	return s;
}

static void
copy_tensors(const struct safetensors *s, struct copy *c, bool backwards)
{
	const size_t n = safetensors_count(s);

	ck_assert_uint_le(n, TENSORS_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct safetensors_entry entry = safetensors_entry(s, i);
		struct safetensors_tensor *t = &c->tensors[backwards ? n - 1 - i : i];

		ck_assert_uint_le(entry.rank, RANK_MAX);
		safetensors_shape(s, i, c->shapes[i], RANK_MAX);
		*t = (struct safetensors_tensor){ .name = entry.name.bytes,
			.name_len = entry.name.len,
			.dtype = entry.dtype,
			.rank = entry.rank,
			.shape = c->shapes[i],
			.tag = i };
	}
	c->contents.tensors = c->tensors;
	c->contents.count = n;
}

static void
copy_metadata(const struct safetensors *s, struct copy *c, bool any)
{
	struct text_span key, value;
	size_t cursor = 0, n;

	for (n = 0; safetensors_metadata_next(s, &cursor, &key, &value); n++) {
		const size_t place = PAIRS_MAX - 1 - n;

		ck_assert(n < PAIRS_MAX && key.len < KEY_MAX);
		memcpy(c->keys[n], key.bytes, key.len);
		c->pairs[place] = (struct safetensors_pair){ c->keys[n], value.bytes, value.len };
	}
	c->contents.metadata = any ? c->pairs + PAIRS_MAX - n : NULL;
	c->contents.metadata_count = n;
}

/* Each tensor is where the file has it, and each byte of the data is found in its tensor. */
static void
check_places(const struct safetensors *s, const struct copy *c, uint64_t data_bytes)
{
	uint64_t at = 0;

	for (size_t i = 0; i < c->contents.count; i++) {
		const struct safetensors_tensor *t = &c->tensors[i];

		ck_assert_uint_eq(t->begin, safetensors_entry(s, t->tag).begin);
		ck_assert_uint_eq(t->bytes, safetensors_entry(s, t->tag).bytes);
		for (; at < t->begin + t->bytes; at++)
			ck_assert_uint_eq(safetensors_tensor_at(&c->contents, at), i);
	}
	ck_assert_uint_eq(at, data_bytes);
}

static void
check_writes(const char *bytes, size_t len, bool backwards)
{
	struct copy *c = calloc(1, sizeof(*c));
	struct safetensors *s = read_file(bytes, len);
	uint64_t data_bytes;
	struct buf out;
	struct err e = { 0 };

	ck_assert_ptr_nonnull(c);
	copy_tensors(s, c, backwards);
	copy_metadata(s, c, strstr(bytes + 8, "__metadata__\"") != NULL);
	buf_init(&out, FILE_MAX);
	buf_text(&out, "before");
	ck_assert_msg(safetensors_write_header(&c->contents, &out, &data_bytes, &e) == 0, "%s", e.detail);
	ck_assert_uint_eq(out.len - 6 + data_bytes, len);
	ck_assert_mem_eq(out.bytes, "before", 6);
	ck_assert_mem_eq(out.bytes + 6, bytes, out.len - 6);
	check_places(s, c, data_bytes);
	buf_fini(&out);
	safetensors_free(s);
	free(c);
}

START_TEST(files_of_the_layout)
{
	static char bytes[FILE_MAX];
	char path[128];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "tests/vectors/safetensors/%s.safetensors", names[_i]);
	f = fopen(path, "rb");
	ck_assert_msg(f != NULL, "cannot open %s", path);
	len = fread(bytes, 1, sizeof(bytes) - 1, f);
	ck_assert_int_eq(ferror(f), 0);
	fclose(f);
	bytes[len] = '\0';
	check_writes(bytes, len, false);
	check_writes(bytes, len, true);
}
END_TEST

/* Of the reference's files, its writer made those whose header is padded to 8 bytes. */
START_TEST(files_of_the_reference)
{
	const struct safetensors_file_case *c = &safetensors_files[_i];

	if (c->detail == NULL && c->bytes[0] % 8 == 0)
		check_writes(c->bytes, c->len, false);
}
END_TEST

/* The budget has no room for the header, or not for all of it. */
START_TEST(no_memory)
{
	static uint64_t shape[] = { 2 };
	struct safetensors_tensor t[] = {
		{ .name = "t", .name_len = 1, .dtype = SAFETENSORS_F32, .rank = 1, .shape = shape }
	};
	struct safetensors_contents contents = { .tensors = t, .count = 1 };
	struct budget budget;
	uint64_t data_bytes;

	for (size_t room = 0; room < 256; room += 8) {
		struct budget_share memory = { .budget = &budget };
		struct buf out;
		struct err e = { 0 };

		budget_init(&budget, room);
		buf_init(&out, FILE_MAX);
		buf_count(&out, &memory);
		ck_assert_int_lt(safetensors_write_header(&contents, &out, &data_bytes, &e), 0);
		ck_assert_int_eq(e.code, ERR_BODY_TOO_LARGE);
		buf_fini(&out);
		budget_give_all(&memory);
	}
}
END_TEST

/* The reader would refuse it. */
START_TEST(too_long_a_header)
{
	const size_t len = (size_t)SAFETENSORS_HEADER_MAX - 30;
	char *value = malloc(len);
	struct safetensors_pair pair = { "a", value, len };
	struct safetensors_contents contents = { .metadata = &pair, .metadata_count = 1 };
	uint64_t data_bytes;
	struct buf out;
	struct err e = { 0 };

	ck_assert_ptr_nonnull(value);
	memset(value, 'a', len);
	buf_init(&out, SIZE_MAX);
	/* {"__metadata__":{"a":"..."}} */
	ck_assert_msg(safetensors_write_header(&contents, &out, &data_bytes, &e) == 0, "%s", e.detail);
	ck_assert_uint_eq(out.len, 8 + SAFETENSORS_HEADER_MAX);
	buf_clear(&out);
	contents.metadata->key = "abcdefghi";
	ck_assert_int_lt(safetensors_write_header(&contents, &out, &data_bytes, &e), 0);
	ck_assert_int_eq(e.code, ERR_NOT_ACCEPTABLE);
	buf_fini(&out);
	free(value);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("safetensors_write");
	TCase *bytes = tcase_create("bytes"), *limits = tcase_create("limits");

	tcase_add_loop_test(bytes, files_of_the_layout, 0, (int)COUNT(names));
	tcase_add_loop_test(bytes, files_of_the_reference, 0, (int)COUNT(safetensors_files));
	tcase_add_test(limits, no_memory);
	tcase_add_test(limits, too_long_a_header);
	suite_add_tcase(suite, bytes);
	suite_add_tcase(suite, limits);
	return suite;
}
