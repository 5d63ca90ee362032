/* SPDX-License-Identifier: MIT */
/* A growable buffer with a sticky failure mark: append without checks, and look at `failed` once, at the end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/compiler.h"

struct buf {
	char *bytes; /* not NUL-terminated; NULL until something is appended */
	size_t len;
	size_t size;
	size_t limit; /* of `len` */
	bool failed;  /* an append failed; every later one does nothing */

	struct budget_share *memory; /* where `size` is counted; NULL: nowhere */
	size_t refused;              /* bytes that were not granted there to the append that failed, or 0 */
	bool too_long;               /* that append would have passed `limit` */

	bool apart;  /* buf_keep_apart */
	bool mapped; /* `bytes` is a mapping, not from malloc */
};

/* Makes `b` empty, to hold at most `limit` bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t limit);

/* Counts the memory of `b`, which is empty, in `memory`, which must outlive it. */
void buf_count(struct buf *b, struct budget_share *memory);

/*
 * Keeps `b`, which is empty, apart from the allocator's other blocks once it is large: it then grows without a copy and
 * without leaving gaps in the allocator's memory, which together are as large as itself. `bytes` is not from malloc.
 */
void buf_keep_apart(struct buf *b);

void buf_fini(struct buf *b);

/* Empties `b` and clears the failure mark; keeps the memory. */
void buf_clear(struct buf *b);

/* Writes the decimal digits of a number, without a NUL. Returns how many. */
#define BUF_UINT_BYTES 20
size_t buf_format_uint(char out[BUF_UINT_BYTES], uint64_t number);

/* Append: bytes, one byte, a NUL-terminated text, a whole number in decimal, formatted text. */
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_byte(struct buf *b, char c);
void buf_text(struct buf *b, const char *text);
void buf_uint(struct buf *b, uint64_t number);
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* Room for `len` more bytes, which the caller writes and then adds to `b->len`; NULL: the append failed. */
char *buf_reserve(struct buf *b, size_t len);
