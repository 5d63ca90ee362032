/* SPDX-License-Identifier: MIT */
/*
 * The .npy decoder: takes one NumPy array (npy_header.h has the format) in any pieces, as they arrive. The header tells
 * the tensor's size before its values, so it is allocated once and every value is written to its final place: in C
 * order by a copy (bytes in the other order are swapped in place at the end), in Fortran order one by one.
 *
 * Memory is counted as it is written, because a client may announce much and send little. In Fortran order values
 * spread over all of it at once; the first eighth of them is therefore kept aside until it is complete.
 *
 * The encoder is npy_header_format: the tensor's bytes follow the header.
 */
#pragma once

#include "base/budget.h"
#include "codec/npy_header.h"

struct npy;

/* A decoder for one file of at most `tensor_bytes_max` bytes of values, counted in `memory`, or not if that is NULL. */
struct npy *npy_new(size_t tensor_bytes_max, struct budget_share *memory) MUST_CHECK;

/* Sets the file's offset in the body, if not 0. Before the first byte. */
void npy_set_start(struct npy *n, uint64_t start);

/* Also frees the tensor. */
void npy_free(struct npy *n);

/* Feeds the next bytes. Errors: bad_npy, body_too_large, overloaded. After an error only npy_free may be called. */
int npy_feed(struct npy *n, const char *bytes, size_t len, struct err *e) MUST_CHECK;

/* The same if something may follow the file: *taken is how many of the bytes belong to it. */
int npy_take(struct npy *n, const char *bytes, size_t len, size_t *taken, struct err *e) MUST_CHECK;

/* The file has ended: checks that it is complete. Error: bad_npy. */
int npy_finish(struct npy *n, struct err *e) MUST_CHECK;

/* The tensor, after npy_finish. It belongs to the decoder. */
struct tensor *npy_tensor(struct npy *n);
