/* SPDX-License-Identifier: MIT */
#include "base/workspace.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"

void
workspace_init(struct workspace *ws, struct budget *budget, size_t arena_max)
{
	*ws = (struct workspace){ .memory.budget = budget };
	arena_init(&ws->arena, arena_max);
}

void
workspace_fini(struct workspace *ws)
{
	arena_fini(&ws->arena);
	budget_give_all(&ws->memory);
}

void *
workspace_alloc(struct workspace *ws, size_t size, struct err *e)
{
	void *p = arena_alloc(&ws->arena, size);

	if (p == NULL)
		err_set_memory(e);
	return p;
}

/* Saturates: SIZE_MAX is never granted. */
static size_t
product(size_t a, size_t b)
{
	size_t p;

	return __builtin_mul_overflow(a, b, &p) ? SIZE_MAX : p;
}

void *
workspace_array(struct workspace *ws, size_t count, size_t size, struct err *e)
{
	const size_t bytes = product(count, size);

	return budget_ask(&ws->memory, bytes, e) < 0 ? NULL : workspace_alloc(ws, bytes, e);
}

void *
workspace_values(struct workspace *ws, size_t count, size_t size, struct err *e)
{
	void *values = workspace_array(ws, count, size, e);

	if (values != NULL)
		memory_large_pages(values, count * size);
	return values;
}

const char *
workspace_text(struct workspace *ws, const char *text, size_t len, struct err *e)
{
	char *copy = workspace_array(ws, len + 1, 1, e);

	if (copy != NULL && len > 0)
		memcpy(copy, text, len);
	return copy;
}

/* Counts `n` doubles `times` times. */
static int
count_doubles(struct workspace *ws, size_t n, size_t times, struct err *e)
{
	return budget_ask(&ws->memory, product(product(n, sizeof(double)), times), e);
}

int
workspace_doubles(struct workspace *ws, size_t n, double **out, struct err *e)
{
	if (count_doubles(ws, n, ws->copies > 1 ? ws->copies : 1, e) < 0)
		return -1;
	*out = arena_array(&ws->arena, n, sizeof(double));
	return *out != NULL ? 0 : err_fail_memory(e);
}

int
workspace_doubles_unset(struct workspace *ws, size_t n, double **out, struct err *e)
{
	const size_t bytes = product(n, sizeof(double));

	if (count_doubles(ws, n, ws->copies > 1 ? ws->copies : 1, e) < 0)
		return -1;
	*out = arena_alloc_unset(&ws->arena, bytes);
	return *out != NULL ? 0 : err_fail_memory(e);
}

int
workspace_count_copies(struct workspace *ws, size_t n, struct err *e)
{
	return ws->copies > 1 ? count_doubles(ws, n, ws->copies - 1, e) : 0;
}
