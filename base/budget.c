#include "base/budget.h"

#include <assert.h>

void
budget_init(struct budget *b, size_t bytes_max)
{
	b->bytes_max = bytes_max;
	atomic_init(&b->bytes, 0);
}

bool
budget_take(struct budget_share *s, size_t bytes)
{
	struct budget *b = s == NULL ? NULL : s->budget;
	size_t used;

	if (b == NULL)
		return true;
	/* First look, then add: a request for far too much must not turn away the small ones that ask at the same time. */
	used = atomic_load_explicit(&b->bytes, memory_order_relaxed);
	do {
		if (bytes > b->bytes_max || used > b->bytes_max - bytes)
			return false;
	} while (
	    !atomic_compare_exchange_weak_explicit(&b->bytes, &used, used + bytes, memory_order_relaxed, memory_order_relaxed));
	s->bytes += bytes;
	return true;
}

void
budget_give(struct budget_share *s, size_t bytes)
{
	if (s == NULL || s->budget == NULL)
		return;
	assert(bytes <= s->bytes);
	s->bytes -= bytes;
	atomic_fetch_sub_explicit(&s->budget->bytes, bytes, memory_order_relaxed);
}

void
budget_give_all(struct budget_share *s)
{
	budget_give(s, s->bytes);
}
