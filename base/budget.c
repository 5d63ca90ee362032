/* SPDX-License-Identifier: MIT */
#include "base/budget.h"

#include <assert.h>

#include "base/spare_memory.h"

/* What a share keeps of what is given back, for the next take. */
#define KEPT_BYTES ((size_t)32 << 10)

void
budget_init(struct budget *b, size_t bytes_max)
{
	b->bytes_max = bytes_max;
	atomic_init(&b->bytes, 0);
}

static bool
is_counted(const struct budget_share *s)
{
	return s != NULL && s->budget != NULL;
}

bool
budget_pay_ahead(struct budget_share *s, size_t bytes)
{
	struct budget *b;
	size_t used;

	if (!is_counted(s))
		return true;
	b = s->budget;
	/* First look, then add: a request for far too much must not turn away small ones that ask at the same time. */
	used = atomic_load_explicit(&b->bytes, memory_order_relaxed);
	do {
		if (bytes > b->bytes_max || used > b->bytes_max - bytes)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
	    &b->bytes, &used, used + bytes, memory_order_relaxed, memory_order_relaxed));
	s->paid += bytes;
	spare_memory_look(bytes);
	return true;
}

bool
budget_take(struct budget_share *s, size_t bytes)
{
	if (!is_counted(s))
		return true;
	if (bytes > s->paid - s->bytes && !budget_pay_ahead(s, bytes - (s->paid - s->bytes)))
		return false;
	s->bytes += bytes;
	return true;
}

void
budget_credit(struct budget_share *s, size_t bytes)
{
	s->paid += bytes;
	s->credit += bytes;
}

bool
budget_has_room(const struct budget_share *s, size_t bytes)
{
	size_t used;

	if (!is_counted(s) || bytes <= s->paid - s->bytes)
		return true;
	bytes -= s->paid - s->bytes;
	used = atomic_load_explicit(&s->budget->bytes, memory_order_relaxed);
	return bytes <= s->budget->bytes_max && used <= s->budget->bytes_max - bytes;
}

int
budget_refuse(const struct budget_share *s, size_t bytes, struct err *e)
{
	const size_t had = s->paid - s->credit;

	if (had <= s->budget->bytes_max && bytes <= s->budget->bytes_max - had)
		return err_fail_budget(e);
	return err_fail(e, ERR_BODY_TOO_LARGE,
	    "the request needs at least %zu bytes of memory; all requests together may use %zu (--max-memory)",
	    bytes > SIZE_MAX - had ? SIZE_MAX : had + bytes, s->budget->bytes_max);
}

int
budget_ask(struct budget_share *s, size_t bytes, struct err *e)
{
	return budget_take(s, bytes) ? 0 : budget_refuse(s, bytes, e);
}

static void
pay_back(struct budget_share *s, size_t bytes)
{
	s->paid -= bytes;
	if (bytes > 0)
		atomic_fetch_sub_explicit(&s->budget->bytes, bytes, memory_order_relaxed);
}

void
budget_give(struct budget_share *s, size_t bytes)
{
	size_t keep;

	if (!is_counted(s))
		return;
	assert(bytes <= s->bytes);
	s->bytes -= bytes;
	keep = s->bytes + KEPT_BYTES > s->credit ? s->bytes + KEPT_BYTES : s->credit;
	if (s->paid > keep)
		pay_back(s, s->paid - keep);
}

void
budget_give_all(struct budget_share *s)
{
	if (!is_counted(s))
		return;
	s->bytes = 0;
	pay_back(s, s->paid - s->credit);
}
