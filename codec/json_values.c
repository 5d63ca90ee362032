/* SPDX-License-Identifier: MIT */
/*
 * Memory is allocated as values come, even if the shape is known: else a few bytes would hold a large tensor's memory
 * for as long as the client likes. It grows by doubling: realloc does not copy a large block but maps it elsewhere
 * (mremap), and pages without values cost nothing. So a tensor without a shape costs about as much as one with a shape.
 * Large blocks get large pages: else every 512 doubles, or 1024 floats, would cost a page fault.
 */
#include "codec/json_values.h"

#include <stdlib.h>

#include "base/memory.h"

/* Less is not worth a call of realloc. */
#define TRIM_BYTES_MIN ((size_t)4096)

/* Twice as many come first: 1 KiB of doubles. Up to 1032 bytes, glibc keeps freed chunks for each thread. */
#define FIRST_VALUES ((size_t)64)

/* The most values of a shape that get their room at once. */
#define EXPECTED_AT_ONCE ((size_t)16 * 1024)

static int
values_resize(struct json_values *v, size_t capacity, struct err *e)
{
	const size_t more = (capacity - v->capacity) * datatype_size(v->datatype);
	void *bytes;

	if (budget_ask(v->memory, more, e) < 0)
		return -1;
	bytes = realloc(v->bytes, capacity * datatype_size(v->datatype));
	if (bytes == NULL) {
		budget_give(v->memory, more);
		return err_fail_memory(e);
	}
	memory_large_pages_of_block(bytes, capacity * datatype_size(v->datatype));
	v->bytes = bytes;
	v->capacity = capacity;
	return 0;
}

static int
values_too_many(const struct json_values *v, uint64_t at, struct err *e)
{
	return err_fail_at(
	    e, ERR_BODY_TOO_LARGE, at, "the tensors of a body may have at most %zu bytes (--max-body)", v->bytes_max);
}

int
json_values_grow(struct json_values *v, uint64_t at, struct err *e)
{
	size_t capacity = v->capacity == 0 ? FIRST_VALUES : v->capacity;

	if (v->count == v->count_max)
		return values_too_many(v, at, e);
	capacity = capacity > v->count_max / 2 ? v->count_max : capacity * 2;
	if (v->expected > v->count && capacity > v->expected)
		capacity = v->expected;
	return values_resize(v, capacity, e);
}

int
json_values_expect(struct json_values *v, size_t count, uint64_t at, struct err *e)
{
	if (count > v->count_max)
		return values_too_many(v, at, e);
	if (!budget_has_room(v->memory, count * datatype_size(v->datatype)))
		return budget_refuse(v->memory, count * datatype_size(v->datatype), e);
	v->expected = count;
	return count == 0 ? 0 : values_resize(v, count < EXPECTED_AT_ONCE ? count : EXPECTED_AT_ONCE, e);
}

void
json_values_trim(struct json_values *v)
{
	const size_t excess = v->capacity - v->count, excess_bytes = excess * datatype_size(v->datatype);
	void *bytes = NULL;

	if (v->count > 0 && (excess <= v->count / 8 || excess_bytes < TRIM_BYTES_MIN))
		return;
	if (v->count == 0)
		free(v->bytes);
	else if ((bytes = realloc(v->bytes, v->count * datatype_size(v->datatype))) == NULL)
		return;
	v->bytes = bytes;
	v->capacity = v->count;
	budget_give(v->memory, excess_bytes);
}
