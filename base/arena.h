/* SPDX-License-Identifier: MIT */
/*
 * An arena: memory with one lifetime (a request's), freed in one place, up to a limit. It is aligned for any type, and
 * zeroed unless the name of a function says otherwise; there is no free for a single allocation. In sanitizer builds
 * (ARENA_EACH_APART) each is a malloc of its own, so that an overrun is seen.
 */
#pragma once

#include <stddef.h>

#include "base/compiler.h"

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	size_t left;                /* bytes up to the limit */
};

/* Makes `a` empty, to hand out at most `bytes_max` bytes. Allocates nothing. */
void arena_init(struct arena *a, size_t bytes_max);

/* Frees all memory; `a` may be initialized again. */
void arena_fini(struct arena *a);

/* `size` bytes; NULL beyond the limit. A size of 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size) MUST_CHECK;

/* The same, with any contents, for memory that is written before it is read. */
void *arena_alloc_unset(struct arena *a, size_t size) MUST_CHECK;

/* `count` elements of `size` bytes; NULL also if the product overflows. */
void *arena_array(struct arena *a, size_t count, size_t size) MUST_CHECK;

/* A NUL-terminated copy of `len` bytes. */
char *arena_text(struct arena *a, const char *text, size_t len) MUST_CHECK;
