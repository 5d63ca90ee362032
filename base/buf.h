/* SPDX-License-Identifier: MIT */
/*
 * A growable run of bytes with a sticky failure mark: append without looking, ask once at the end.
 * A buffer belongs to one thread at a time.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/compiler.h"

struct buf {
	char *bytes; /* NULL while nothing was appended; not NUL-terminated */
	size_t len;
	size_t size;
	size_t limit; /* `len` never passes it; set by buf_init */
	bool failed;  /* an append did not fit; every later append is void */

	struct budget_share *memory; /* where `size` is counted; NULL: nowhere */
	size_t refused; /* bytes that were not granted there, at the append that failed; 0: it failed otherwise */
	bool too_long;  /* that append would have passed `limit` */
};

/* Makes `b` empty, to hold at most `limit` bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t limit);

/* Counts the memory of `b`, which is empty, in `memory`, which must outlive it. */
void buf_count(struct buf *b, struct budget_share *memory);

/* Gives the memory back. */
void buf_fini(struct buf *b);

/* Forgets the contents, keeps the memory, clears the failure mark. */
void buf_clear(struct buf *b);

/* The decimal digits of a number, without a NUL; returns how many. */
#define BUF_UINT_BYTES 20
size_t buf_format_uint(char out[BUF_UINT_BYTES], uint64_t number);

/* Append: bytes, one byte, a NUL-terminated text, a whole number in decimal, formatted text. */
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_byte(struct buf *b, char c);
void buf_text(struct buf *b, const char *text);
void buf_uint(struct buf *b, uint64_t number);
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* Room for `len` more bytes, to be written by the caller, who then adds to `b->len`; NULL when it does not fit. */
char *buf_reserve(struct buf *b, size_t len);

#endif
