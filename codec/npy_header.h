/* SPDX-License-Identifier: MIT */
/*
 * The header of a NumPy .npy file, format 1.0 to 3.0 (numpy.lib.format; NEP 1):
 *
 *     0        6       8         10 or 12               10 or 12 + length
 *     \x93NUMPY  major minor  length  { Python dict, ASCII }  data ...
 *
 * length is little-endian, of 2 bytes in 1.0 and 4 in 2.0 and 3.0. The dict has the keys descr (the datatype),
 * fortran_order and shape, and is padded with spaces and a newline so that the data is aligned to 64 bytes.
 */
#pragma once

#include "codec/tensor.h"

#define NPY_MAGIC "\x93NUMPY"
#define NPY_MAGIC_BYTES ((size_t)6)

/* The longest dict that is read. NumPy itself reads no more than 10,000 bytes. */
#define NPY_DICT_MAX ((size_t)16384)

/* The most that npy_header_format writes. */
#define NPY_HEADER_MAX ((size_t)1024)

struct npy_header {
	enum datatype datatype;
	bool swapped; /* the byte order is not this machine's */
	bool fortran; /* the first index moves fastest */
	unsigned rank;
	size_t shape[TENSOR_RANK_MAX];
	size_t count; /* product of shape; its bytes fit size_t */
};

/*
 * Reads the dict [text, text + len), which is at offset `at` of the body. bad_npy, with the offset: a wrong syntax; a
 * missing, unknown or duplicate key; a datatype that is not a float; a shape with a negative extent, one that
 * overflows, none, or more than TENSOR_RANK_MAX.
 */
int npy_header_parse(const char *text, size_t len, uint64_t at, struct npy_header *out, struct err *e) MUST_CHECK;

/*
 * Writes the header (1.0, C order, this machine's byte order) from the magic to the newline before the data. Returns
 * its length, a multiple of 64. BF16 is written as '<V2', two bytes of no type, as numpy.save writes an array of
 * bfloat16 (ml_dtypes, JAX); .view(bfloat16) reads it back.
 */
size_t npy_header_format(const struct tensor *t, char out[NPY_HEADER_MAX]);
