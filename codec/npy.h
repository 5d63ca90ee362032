/* SPDX-License-Identifier: MIT */
/*
 * The .npy decoder: takes one NumPy array (npy_header.h has the format) in any pieces, as they arrive. The header says
 * how large the tensor is before its values come, so it is allocated once and every value is received where it stays: a
 * file in C order and in this machine's byte order is copied from the socket's buffer and that is all; bytes in the
 * other order are turned about there at the end; values in Fortran order are put into their row-major places one by
 * one.
 *
 * Memory is counted as it is written to, for a client may announce much and send little. Values in Fortran order are
 * spread over all of it: the first eighth of them is kept aside until it is there.
 *
 * A decoder belongs to one thread at a time. The encoder is npy_header_format: what follows the header are the tensor's
 * bytes.
 */
#ifndef CODEC_NPY_H
#define CODEC_NPY_H

#include "base/budget.h"
#include "codec/npy_header.h"

struct npy;

/*
 * A decoder for one file whose values may take at most `tensor_bytes_max` bytes, which are asked for from `memory`
 * (NULL: they are not counted) and are the caller's to give back when the decoder is freed. Returns NULL when there is
 * no memory.
 */
struct npy *npy_new(size_t tensor_bytes_max, struct budget_share *memory) MUST_CHECK;

/* Where in the body its file begins, if not at 0; said before any of it is fed. */
void npy_set_start(struct npy *n, uint64_t start);

/* Frees it with its tensor. NULL is fine. */
void npy_free(struct npy *n);

/*
 * Feeds the next `len` bytes. Returns 0, or -1 with `e`: bad_npy (with the offset in the body), body_too_large (as
 * soon as the shape is known), overloaded (memory). After an error only npy_free may be called.
 */
int npy_feed(struct npy *n, const char *bytes, size_t len, struct err *e) MUST_CHECK;

/* The same where something may follow the file: takes no more than belongs to it, and says how much that was. */
int npy_take(struct npy *n, const char *bytes, size_t len, size_t *taken, struct err *e) MUST_CHECK;

/* The file has ended: checks that it is whole. Errors as above. */
int npy_finish(struct npy *n, struct err *e) MUST_CHECK;

/* The tensor, after npy_finish. It belongs to the decoder. */
struct tensor *npy_tensor(struct npy *n);

#endif
