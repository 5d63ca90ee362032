/* SPDX-License-Identifier: MIT */
/* The memory of a piece of work (an arena, a share of a budget) and its helpers. One thread uses it at a time. */
#pragma once

#include "base/arena.h"
#include "base/budget.h"
#include "base/crew.h"

struct workspace {
	struct arena arena;
	struct budget_share memory; /* what the work uses, the arena and everything else */
	struct crew *crew;          /* helps with large tensors; NULL: nobody does */
	size_t copies; /* how many copies of a list of doubles are counted, the list itself included; 0: 1 */
};

/* An empty workspace whose arena hands out at most `arena_max` bytes. `budget` may be NULL: nothing is counted. */
void workspace_init(struct workspace *ws, struct budget *budget, size_t arena_max);

/* Frees the arena and gives everything back to the budget. */
void workspace_fini(struct workspace *ws);

/* `size` zeroed bytes from the arena, not counted: for small structs. NULL with `e`. */
void *workspace_alloc(struct workspace *ws, size_t size, struct err *e) MUST_CHECK;

/* `count` zeroed elements of `size` bytes, counted. NULL with `e`: overloaded, body_too_large. */
void *workspace_array(struct workspace *ws, size_t count, size_t size, struct err *e) MUST_CHECK;

/* The same for a tensor's values, in large pages where there are many. */
void *workspace_values(struct workspace *ws, size_t count, size_t size, struct err *e) MUST_CHECK;

/* A counted copy of a text of `len` bytes, with a NUL behind it. NULL with `e`. */
const char *workspace_text(struct workspace *ws, const char *text, size_t len, struct err *e) MUST_CHECK;

/* `n` zeroed doubles, counted with their copies. */
int workspace_doubles(struct workspace *ws, size_t n, double **out, struct err *e) MUST_CHECK;

/* The same, with any contents, for doubles that are written before they are read. */
int workspace_doubles_unset(struct workspace *ws, size_t n, double **out, struct err *e) MUST_CHECK;

/* Counts the copies of `n` doubles that are in memory, and counted, already. */
int workspace_count_copies(struct workspace *ws, size_t n, struct err *e) MUST_CHECK;
