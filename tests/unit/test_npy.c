/* SPDX-License-Identifier: MIT */
/* .npy: every form of header and of values, any cut of the file, and a corpus of files that must be refused. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/npy.h"
#include "tests/unit/npy_corpus.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FILE_MAX 4096
#define UNLIMITED ((size_t)1 << 40)

struct file {
	char bytes[FILE_MAX];
	size_t len;
};

/* A file of this format version, with the dict padded as numpy.save pads it, or not. */
static struct file
make_file(int version, const char *dict, bool padded, const void *data, size_t data_len)
{
	struct file f = { .len = version == 1 ? 10 : 12 };
	size_t dict_len = strlen(dict), length = dict_len;

	if (padded)
		length = (f.len + dict_len + 1 + 63) / 64 * 64 - f.len;
	memcpy(f.bytes, "\x93NUMPY", 6);
	f.bytes[6] = (char)version;
	for (size_t i = 8; i < f.len; i++)
		f.bytes[i] = (char)(length >> 8 * (i - 8));
	memcpy(f.bytes + f.len, dict, dict_len);
	if (padded) {
		memset(f.bytes + f.len + dict_len, ' ', length - dict_len);
		f.bytes[f.len + length - 1] = '\n';
	}
	memcpy(f.bytes + f.len + length, data, data_len);
	f.len += length + data_len;
	return f;
}

/*
 * Reads a file that is fed in two pieces, or `piece` bytes at a time; NULL when it is refused. Each piece is a block of
 * its own.
 */
static struct npy *
read_cut(const struct file *f, size_t first, size_t piece, size_t limit, struct err *e)
{
	struct npy *n = npy_new(limit, NULL);
	size_t len;

	ck_assert_ptr_nonnull(n);
	*e = (struct err){ 0 };
	for (size_t at = 0; at < f->len; at += len) {
		char *copy;
		int result;

		len = at == 0 && first > 0 ? first : piece;
		len = len < f->len - at ? len : f->len - at;
		copy = malloc(len);
		memcpy(copy, f->bytes + at, len);
		result = npy_feed(n, copy, len, e);
		free(copy);
		if (result < 0)
			goto refused;
	}
	if (npy_finish(n, e) == 0)
		return n;
refused:
	npy_free(n);
	return NULL;
}

static struct npy *
read_whole(const struct file *f, struct err *e)
{
	return read_cut(f, 0, f->len + 1, UNLIMITED, e);
}

static void
assert_tensor(
    struct npy *n, enum datatype datatype, unsigned rank, const size_t *shape, const void *values, size_t size)
{
	const struct tensor *t;

	ck_assert_ptr_nonnull(n);
	t = npy_tensor(n);
	ck_assert_int_eq(t->datatype, datatype);
	ck_assert_uint_eq(t->rank, rank);
	ck_assert_mem_eq(t->shape, shape, rank * sizeof(*shape));
	ck_assert_uint_eq(t->count * datatype_size(datatype), size);
	if (size > 0)
		ck_assert_mem_eq(t->values, values, size);
	npy_free(n);
}

static const size_t two_three[] = { 2, 3 };

/* The bytes of 1.5, -2, 0 as each type has them, lowest first. */
static const unsigned char f2[] = { 0x00, 0x3e, 0x00, 0xc0, 0x00, 0x00 };
static const unsigned char f4[] = { 0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0 };
static const unsigned char f8[] = { 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0 };
static const unsigned char v2[] = { 0xc0, 0x3f, 0x00, 0xc0, 0x00, 0x00 };

#define LITTLE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

struct type_case {
	const char *descr;
	enum datatype datatype;
	const unsigned char *lowest_first;
	size_t size; /* of a value */
	bool big_endian;
};

static const struct type_case types[] = {
	{ "<f2", DATATYPE_FP16, f2, 2, false },
	{ ">f2", DATATYPE_FP16, f2, 2, true },
	{ "<f4", DATATYPE_FP32, f4, 4, false },
	{ ">f4", DATATYPE_FP32, f4, 4, true },
	{ "<f8", DATATYPE_FP64, f8, 8, false },
	{ ">f8", DATATYPE_FP64, f8, 8, true },
	{ "<V2", DATATYPE_BF16, v2, 2, false },
	{ "|V2", DATATYPE_BF16, v2, 2, false },
	/* As numpy.dtype() reads them: without a byte order, this machine's. */
	{ "f4", DATATYPE_FP32, f4, 4, !LITTLE },
	{ "=f4", DATATYPE_FP32, f4, 4, !LITTLE },
	{ "|f4", DATATYPE_FP32, f4, 4, !LITTLE },
	{ "f", DATATYPE_FP32, f4, 4, !LITTLE },
	{ ">f", DATATYPE_FP32, f4, 4, true },
	{ "float32", DATATYPE_FP32, f4, 4, !LITTLE },
	{ "single", DATATYPE_FP32, f4, 4, !LITTLE },
	{ "f8", DATATYPE_FP64, f8, 8, !LITTLE },
	{ "=f8", DATATYPE_FP64, f8, 8, !LITTLE },
	{ ">d", DATATYPE_FP64, f8, 8, true },
	{ "float", DATATYPE_FP64, f8, 8, !LITTLE },
	{ "float64", DATATYPE_FP64, f8, 8, !LITTLE },
	{ "double", DATATYPE_FP64, f8, 8, !LITTLE },
	{ "f2", DATATYPE_FP16, f2, 2, !LITTLE },
	{ "=f2", DATATYPE_FP16, f2, 2, !LITTLE },
	{ "<e", DATATYPE_FP16, f2, 2, false },
	{ "half", DATATYPE_FP16, f2, 2, !LITTLE },
	{ "float16", DATATYPE_FP16, f2, 2, !LITTLE },
	{ "V2", DATATYPE_BF16, v2, 2, false },
	{ "=V2", DATATYPE_BF16, v2, 2, false },
};

/* Bytes with the order within each value as it is (`same`), or turned about. */
static void
order_bytes(unsigned char *out, const unsigned char *in, size_t size, size_t count, bool same)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < size; k++)
			out[i * size + k] = in[i * size + (same ? k : size - 1 - k)];
}

START_TEST(every_type)
{
	const struct type_case *c = &types[_i % (int)COUNT(types)];
	const int version = 1 + _i / (int)COUNT(types);
	const size_t shape[] = { 3 }, size = 3 * c->size;
	unsigned char data[24], expected[24];
	char dict[128];
	struct file f;
	struct err e;

	order_bytes(data, c->lowest_first, c->size, 3, !c->big_endian);
	order_bytes(expected, c->lowest_first, c->size, 3, LITTLE);
	snprintf(dict, sizeof(dict), "{'descr': '%s', 'fortran_order': False, 'shape': (3,), }", c->descr);
	f = make_file(version, dict, true, data, size);
	assert_tensor(read_whole(&f, &e), c->datatype, 1, shape, expected, size);
	for (size_t cut = 1; cut < f.len; cut++)
		assert_tensor(read_cut(&f, cut, f.len, UNLIMITED, &e), c->datatype, 1, shape, expected, size);
	assert_tensor(read_cut(&f, 0, 1, UNLIMITED, &e), c->datatype, 1, shape, expected, size);
}
END_TEST

/* Dicts as other programs write them. */
START_TEST(every_dict)
{
	static const char *const dicts[] = {
		"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
		"{'shape': (2, 3), 'fortran_order': False, 'descr': '<f4'}",
		"{\"descr\":\"<f4\",\"fortran_order\":False,\"shape\":(2,3)}",
		"  {\t'descr' : '<f4' ,\n'fortran_order' : False , 'shape' : ( 2 , 3 , ) }  \n",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }",
		"{u'descr': u'<f4', u'fortran_order': False, u\"shape\": (2L, 3L), }",
	};
	const float values[] = { 1, 2, 3, 4, 5, 6 };
	struct file f = make_file(1, dicts[_i], _i % 2 == 0, values, sizeof(values));
	struct err e;

	assert_tensor(read_whole(&f, &e), DATATYPE_FP32, 2, two_three, values, sizeof(values));
}
END_TEST

/* Every index in Fortran order goes where row-major order has it; a value is its own row-major index. */
static void
check_fortran(const size_t *shape, unsigned rank, const char *descr, size_t size)
{
	unsigned char data[8 * 120] = { 0 }, expected[8 * 120] = { 0 };
	char dict[256], text[64] = "";
	size_t count = 1, index, row_major, rest, stride;
	struct file f;
	struct err e;

	for (unsigned i = 0; i < rank; i++) {
		count *= shape[i];
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%zu,", shape[i]);
	}
	for (size_t k = 0; k < count; k++) {
		row_major = 0;
		rest = k;
		for (unsigned i = 0; i < rank; i++) {
			stride = 1;
			for (unsigned j = i + 1; j < rank; j++)
				stride *= shape[j];
			index = rest % shape[i];
			rest /= shape[i];
			row_major += index * stride;
		}
		data[k * size] = (unsigned char)row_major;
		expected[k * size] = (unsigned char)k;
	}
	snprintf(dict, sizeof(dict), "{'descr': '%s', 'fortran_order': True, 'shape': (%s), }", descr, text);
	f = make_file(1, dict, true, data, count * size);
	for (size_t piece = 1; piece <= 2 * size + 1; piece++)
		for (size_t first = 0; first < 3; first++)
			assert_tensor(read_cut(&f, f.len - count * size + first, piece, UNLIMITED, &e),
			    size == 2     ? DATATYPE_FP16 :
				size == 4 ? DATATYPE_FP32 :
					    DATATYPE_FP64,
			    rank, shape, expected, count * size);
	assert_tensor(read_whole(&f, &e),
	    size == 2     ? DATATYPE_FP16 :
		size == 4 ? DATATYPE_FP32 :
			    DATATYPE_FP64,
	    rank, shape, expected, count * size);
}

START_TEST(fortran)
{
	static const size_t shapes[][5] = { { 6 }, { 2, 3 }, { 3, 2 }, { 1, 6 }, { 6, 1 }, { 2, 3, 4 }, { 4, 1, 3 },
		{ 1, 1, 1 }, { 2, 3, 4, 5 }, { 5, 4, 3, 2 }, { 2, 1, 3, 1, 4 } };
	static const unsigned ranks[] = { 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5 };

	check_fortran(shapes[_i], ranks[_i], "<f2", 2);
	check_fortran(shapes[_i], ranks[_i], "<f4", 4);
	check_fortran(shapes[_i], ranks[_i], "<f8", 8);
}
END_TEST

START_TEST(fortran_big_endian)
{
	static const unsigned char data[] = { 0x3f, 0x80, 0, 0, 0x40, 0, 0, 0, 0x40, 0x40, 0, 0, 0x40, 0x80, 0, 0, 0x40,
		0xa0, 0, 0, 0x40, 0xc0, 0, 0 };
	const float expected[] = { 1, 3, 5, 2, 4, 6 };
	struct file f =
	    make_file(1, "{'descr': '>f4', 'fortran_order': True, 'shape': (2, 3), }", true, data, sizeof(data));
	struct err e;

	assert_tensor(read_cut(&f, 0, 3, UNLIMITED, &e), DATATYPE_FP32, 2, two_three, expected, sizeof(expected));
}
END_TEST

START_TEST(empty)
{
	static const size_t shape[] = { 0, 5 };
	struct file f = make_file(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (0, 5), }", true, "", 0);
	struct err e;

	assert_tensor(read_whole(&f, &e), DATATYPE_FP32, 2, shape, NULL, 0);
	f.bytes[f.len++] = '\0';
	ck_assert_ptr_null(read_whole(&f, &e));
	ck_assert_int_eq(e.code, ERR_BAD_NPY);
	ck_assert_uint_eq(e.offset, f.len - 1);
}
END_TEST

/* The limit is known from the shape, before a byte of the values has come and before memory is taken for them. */
START_TEST(the_limit)
{
	static const char big[] = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000), }";
	const float values[] = { 1, 2, 3, 4, 5, 6 };
	struct file f =
	    make_file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", true, values, sizeof(values));
	struct err e;

	assert_tensor(read_cut(&f, 0, f.len, 24, &e), DATATYPE_FP32, 2, two_three, values, sizeof(values));
	ck_assert_ptr_null(read_cut(&f, 0, f.len, 23, &e));
	ck_assert_int_eq(e.code, ERR_BODY_TOO_LARGE);
	f = make_file(1, big, true, "", 0);
	ck_assert_ptr_null(read_cut(&f, 0, f.len, (size_t)64 << 20, &e));
	ck_assert_int_eq(e.code, ERR_BODY_TOO_LARGE);
	ck_assert_ptr_nonnull(strstr(e.detail, "8000000000000000 bytes"));
}
END_TEST

static void
assert_refused(const struct file *f, uint64_t offset, const char *detail)
{
	struct err e;

	for (size_t cut = 0; cut < f->len; cut++) {
		ck_assert_ptr_null(read_cut(f, cut, f->len + 1, UNLIMITED, &e));
		ck_assert_msg(e.code == ERR_BAD_NPY, "cut at %zu: %s: %s", cut, err_row(e.code)->code, e.detail);
		ck_assert_msg(
		    strstr(e.detail, detail) != NULL, "cut at %zu: \"%s\" is not in: %s", cut, detail, e.detail);
		ck_assert_msg(e.has_offset && e.offset == offset, "cut at %zu: offset %ju, not %ju: %s", cut,
		    (uintmax_t)e.offset, (uintmax_t)offset, e.detail);
	}
}

START_TEST(bad_dicts)
{
	const struct npy_dict_case *c = &npy_bad_dicts[_i];
	struct file f = make_file(1, c->dict, false, "\0\0\0\0\0\0\0\0", 8);

	assert_refused(&f, c->offset, c->detail);
}
END_TEST

START_TEST(bad_files)
{
	const struct npy_file_case *c = &npy_bad_files[_i];
	struct file f = { .len = c->len };
	struct err e;

	memcpy(f.bytes, c->bytes, c->len);
	assert_refused(&f, c->offset, c->detail);
	if (f.len == 0)
		ck_assert_ptr_null(read_whole(&f, &e));
}
END_TEST

/* What is written is what numpy.save writes, and reads back. */
START_TEST(every_format)
{
	char header[NPY_HEADER_MAX];
	float values[] = { 1, 2, 3, 4, 5, 6 };
	struct tensor t = { .datatype = DATATYPE_FP32, .rank = 2, .shape = { 2, 3 }, .count = 6, .values = values };
	static const char saved[] =
	    "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
	struct file f;
	struct err e;

	ck_assert_uint_eq(npy_header_format(&t, header), 128);
	if (LITTLE)
		ck_assert_mem_eq(header, saved, sizeof(saved) - 1);
	ck_assert_int_eq(header[127], '\n');
	f.len = 128 + sizeof(values);
	memcpy(f.bytes, header, 128);
	memcpy(f.bytes + 128, values, sizeof(values));
	assert_tensor(read_whole(&f, &e), DATATYPE_FP32, 2, two_three, values, sizeof(values));
}
END_TEST

/* Headers of every rank and datatype, with a long extent. */
START_TEST(format_all)
{
	char header[NPY_HEADER_MAX];
	struct tensor t = { .rank = (unsigned)_i + 1 };
	struct npy_header back;
	struct err e;
	size_t len;

	for (unsigned d = 0; d < DATATYPE_BOOL; d++) {
		t.datatype = (enum datatype)d;
		for (unsigned i = 0; i < t.rank; i++)
			t.shape[i] = i == 0 ? SIZE_MAX / 8 : 1;
		len = npy_header_format(&t, header);
		ck_assert_uint_eq(len % 64, 0);
		ck_assert_uint_eq((unsigned char)header[8] | (unsigned)(unsigned char)header[9] << 8, len - 10);
		ck_assert_int_eq(npy_header_parse(header + 10, len - 10, 10, &back, &e), 0);
		ck_assert_int_eq(back.datatype, t.datatype);
		ck_assert(!back.swapped && !back.fortran);
		ck_assert_uint_eq(back.rank, t.rank);
		ck_assert_mem_eq(back.shape, t.shape, t.rank * sizeof(*t.shape));
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("npy");
	TCase *good = tcase_create("good"), *bad = tcase_create("bad"), *format = tcase_create("format");

	tcase_add_loop_test(good, every_type, 0, 3 * (int)COUNT(types));
	tcase_add_loop_test(good, every_dict, 0, 5);
	tcase_add_loop_test(good, fortran, 0, 11);
	tcase_add_test(good, fortran_big_endian);
	tcase_add_test(good, empty);
	tcase_add_test(good, the_limit);
	suite_add_tcase(suite, good);
	tcase_add_loop_test(bad, bad_dicts, 0, (int)COUNT(npy_bad_dicts));
	tcase_add_loop_test(bad, bad_files, 0, (int)COUNT(npy_bad_files));
	suite_add_tcase(suite, bad);
	tcase_add_test(format, every_format);
	tcase_add_loop_test(format, format_all, 0, TENSOR_RANK_MAX);
	suite_add_tcase(suite, format);
	return suite;
}
