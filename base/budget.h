/*
 * A budget of memory that many share: what is large is asked for here before it is allocated, so that too much at once is refused and
 * not found out by the kernel's out-of-memory killer. It counts what was asked for, not what the allocator makes of it.
 *
 * A budget is any thread's; a share belongs to one thread at a time.
 */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct budget {
	size_t bytes_max; /* immutable */
	atomic_size_t bytes;
};

/* What one holder has taken. Without a budget (a zeroed share, or NULL for one) everything is granted. */
struct budget_share {
	struct budget *budget;
	size_t bytes;
};

void budget_init(struct budget *b, size_t bytes_max);

/* Takes `bytes` more; false when there are not so many left, and then nothing is taken. */
bool budget_take(struct budget_share *s, size_t bytes) MUST_CHECK;

/* Gives back `bytes` of what the share has; all of it. */
void budget_give(struct budget_share *s, size_t bytes);
void budget_give_all(struct budget_share *s);

#endif
