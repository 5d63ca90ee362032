/* SPDX-License-Identifier: MIT */
#include "codec/raw_values.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/spare_memory.h"

/* Up to this size a tensor is counted at once; a larger one in steps, of a large page if memory_large_pages applies. */
#define AT_ONCE_BYTES ((size_t)64 << 10)
#define LARGE_STEP_BYTES ((size_t)2 << 20)
#define LARGE_BYTES ((size_t)8 << 20)

void
raw_values_init(struct raw_values *v, struct tensor *tensor, struct budget_share *memory)
{
	*v = (struct raw_values){
		.tensor = tensor, .memory = memory, .size = tensor->count * datatype_size(tensor->datatype)
	};
}

/* Counts the memory of the first `bytes` bytes of the values, and a step more. */
static int
raw_values_count(struct raw_values *v, size_t bytes, struct err *e)
{
	const size_t step = v->size >= LARGE_BYTES ? LARGE_STEP_BYTES : AT_ONCE_BYTES;
	size_t more = bytes - v->counted;

	if (bytes <= v->counted)
		return 0;
	more = more > step ? more : step;
	more = more < v->size - v->counted ? more : v->size - v->counted;
	if (budget_ask(v->memory, more, e) < 0)
		return -1;
	v->counted += more;
	return 0;
}

int
raw_values_allocate(struct raw_values *v, bool whole, struct err *e)
{
	struct tensor *t = v->tensor;

	if (raw_values_count(v, whole || v->size <= AT_ONCE_BYTES ? v->size : 0, e) < 0)
		return -1;
	if (v->size > 0 && (t->values = malloc(v->size)) == NULL)
		return err_fail_memory(e);
	/* Pages that are not written to cost nothing. */
	if (v->counted < v->size)
		spare_memory_untouched(t->values, v->size);
	memory_large_pages(t->values, v->size);
	return 0;
}

int
raw_values_add(struct raw_values *v, const char *bytes, size_t len, struct err *e)
{
	if (raw_values_count(v, v->taken + len, e) < 0)
		return -1;
	if (len > 0)
		memcpy((unsigned char *)v->tensor->values + v->taken, bytes, len);
	v->taken += len;
	return 0;
}
