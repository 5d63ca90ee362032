/* SPDX-License-Identifier: MIT */
/*
 * The .npy decoder. The input is three bytes of setup (how much memory, how the file is cut) and a file.
 *
 *   - In pieces it comes to the same as whole: the same error, or the same tensor, bit for bit.
 *   - What is accepted is a file of floats to an independent judge, who finds every value where the tensor has it; and
 *     what the judge understands is accepted when it fits.
 *   - What stands before an error's offset is not to blame: fed alone it is taken, or lacks the same at its end.
 *   - The tensor keeps the memory limit; written by the encoder and read again it is the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codec/npy.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/npy_judge.h"

#define SETUP_BYTES 3
#define FILE_MAX ((size_t)1 << 20)

static const size_t limits[] = { 4096, 0, 1, 2, 8, 31, 64, (size_t)1 << 20 };

static struct npy *
decoder_new(size_t bytes_max)
{
	struct npy *n = npy_new(bytes_max, NULL);

	fuzz_check(n != NULL, "no memory");
	return n;
}

static int
feed(void *decoder, const char *bytes, size_t len, struct err *e)
{
	return npy_feed(decoder, bytes, len, e);
}

/* The finished decoder of a file, or NULL with the error. */
static struct npy *
decode(size_t bytes_max, const char *file, size_t len, const struct fuzz_cuts *cuts, struct err *e)
{
	struct npy *n = decoder_new(bytes_max);

	*e = (struct err){ 0 };
	if (fuzz_feed(feed, n, file, len, cuts, e) == 0 && npy_finish(n, e) == 0)
		return n;
	npy_free(n);
	return NULL;
}

static void
check_values(const struct tensor *t, const struct npy_judgement *j, const char *values)
{
	const unsigned char *ours = t->values;
	const char *theirs;
	size_t byte;

	for (size_t i = 0; i < t->count; i++, ours += j->size) {
		theirs = values + npy_judge_place(j, i) * j->size;
		for (size_t k = 0; k < j->size; k++) {
			byte = j->big_endian == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) ? k : j->size - 1 - k;
			fuzz_check(ours[k] == (unsigned char)theirs[byte], "value %zu is not the file's", i);
		}
	}
}

/* The tensor is what the judge reads of its file. */
static void
check_tensor(const struct tensor *t, const char *file, size_t len)
{
	const struct npy_judgement j = npy_judge(file, len);

	fuzz_check(j.valid && !j.overflow && j.rank >= 1 && j.rank <= TENSOR_RANK_MAX, "accepted, but not valid");
	fuzz_check(len - j.data_at == j.count * j.size, "%zu bytes of values where %zu must be", len - j.data_at,
	    j.count * j.size);
	fuzz_check(t->datatype == j.datatype && datatype_size(t->datatype) == j.size, "another datatype");
	fuzz_check(
	    t->rank == j.rank && memcmp(t->shape, j.shape, j.rank * sizeof(*j.shape)) == 0 && t->count == j.count,
	    "another shape");
	fuzz_check((t->values == NULL) == (t->count == 0), "values that are not there");
	check_values(t, &j, file + j.data_at);
}

static void
check_writes_back(const struct tensor *t)
{
	static const struct fuzz_cuts none = { 0, 0 };
	const size_t bytes = t->count * datatype_size(t->datatype);
	char *room = malloc(NPY_HEADER_MAX);
	struct buf file;
	struct npy *again;
	struct err e;
	size_t len;

	fuzz_check(room != NULL, "no memory");
	len = npy_header_format(t, room);
	fuzz_check(len <= NPY_HEADER_MAX && len % 64 == 0 && room[len - 1] == '\n', "a header of %zu bytes", len);
	buf_init(&file, FILE_MAX + NPY_HEADER_MAX);
	buf_add(&file, room, len);
	if (bytes > 0)
		buf_add(&file, t->values, bytes);
	fuzz_check(!file.failed, "no memory");
	free(room);
	check_tensor(t, file.bytes, file.len);
	again = decode(bytes, file.bytes, file.len, &none, &e);
	fuzz_check(again != NULL, "what the encoder wrote is refused: %s", e.detail);
	check_tensor(npy_tensor(again), file.bytes, file.len);
	npy_free(again);
	buf_fini(&file);
}

static void
check_same_tensor(const struct tensor *a, const struct tensor *b)
{
	fuzz_check(a->datatype == b->datatype && a->nested == b->nested && a->rank == b->rank && a->count == b->count &&
		memcmp(a->shape, b->shape, a->rank * sizeof(*a->shape)) == 0,
	    "the tensors' shapes differ");
	fuzz_check(a->count == 0 || memcmp(a->values, b->values, a->count * datatype_size(a->datatype)) == 0,
	    "the tensors' values differ");
}

static void
check_same_error(const struct err *a, const struct err *b)
{
	fuzz_check(a->code == b->code && a->has_offset == b->has_offset && a->offset == b->offset &&
		strcmp(a->detail, b->detail) == 0,
	    "the errors differ: %s | %s", a->detail, b->detail);
}

static void
check_refused(const struct err *e, size_t bytes_max, const struct fuzz_cuts *cuts, const char *file, size_t len)
{
	const struct npy_judgement j = npy_judge(file, len);
	struct npy *n = decoder_new(bytes_max);
	struct err before;

	fuzz_check(e->code == ERR_BAD_NPY || e->code == ERR_BODY_TOO_LARGE, "%s", e->detail);
	fuzz_check(e->has_offset && e->offset <= len, "the offset lies beyond the file: %s", e->detail);
	fuzz_check(fuzz_feed(feed, n, file, (size_t)e->offset, cuts, &before) == 0 || before.offset == e->offset,
	    "wrong before: %s", e->detail);
	npy_free(n);
	if (!j.valid || j.overflow || j.rank < 1 || j.rank > TENSOR_RANK_MAX)
		return;
	if (j.count * j.size > bytes_max)
		fuzz_check(e->code == ERR_BODY_TOO_LARGE, "too large, but %s", e->detail);
	else
		fuzz_check(len - j.data_at != j.count * j.size, "refused: %s", e->detail);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct fuzz_cuts none = { 0, 0 };
	struct fuzz_cuts cuts;
	struct npy *whole, *cut;
	struct err e, cut_e;
	size_t bytes_max;
	char *file;

	if (len < SETUP_BYTES)
		return 0;
	bytes_max = limits[bytes[0] % COUNT(limits)];
	cuts = (struct fuzz_cuts){ .first = bytes[1], .step = bytes[2] };
	len -= SETUP_BYTES;
	file = fuzz_copy(bytes + SETUP_BYTES, len);
	whole = decode(bytes_max, file, len, &none, &e);
	cut = decode(bytes_max, file, len, &cuts, &cut_e);
	fuzz_check((whole == NULL) == (cut == NULL), "accepted or not: %s%s", e.detail, cut_e.detail);
	if (whole != NULL) {
		check_same_tensor(npy_tensor(whole), npy_tensor(cut));
		check_tensor(npy_tensor(whole), file, len);
		check_writes_back(npy_tensor(whole));
	} else {
		check_same_error(&e, &cut_e);
		check_refused(&e, bytes_max, &cuts, file, len);
	}
	npy_free(whole);
	npy_free(cut);
	free(file);
	return 0;
}
