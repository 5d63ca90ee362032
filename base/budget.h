/* SPDX-License-Identifier: MIT */
/*
 * A budget of memory that many share. Whoever needs memory asks here before allocating it, so that too much at once is
 * refused instead of being found out by the kernel's out-of-memory killer. It counts what was asked for, not what the
 * allocator makes of it.
 *
 * A holder may pay in advance, or get credit from what somebody else has paid: small takes then cost no atomic
 * operation.
 *
 * A budget is any thread's; a share belongs to one thread at a time.
 */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"

struct budget {
	size_t bytes_max; /* immutable */
	atomic_size_t bytes;
};

/* What one holder has taken. Without a budget (a zeroed share, or NULL for one) everything is granted. */
struct budget_share {
	struct budget *budget;
	size_t bytes;  /* in use */
	size_t paid;   /* taken from the budget for that and in advance, and the credit */
	size_t credit; /* the part of `paid` that another share has paid */
};

void budget_init(struct budget *b, size_t bytes_max);

/* Takes `bytes` more; false when there are not so many left, and then nothing is taken. */
bool budget_take(struct budget_share *s, size_t bytes) MUST_CHECK;

/* As budget_take. Returns 0, or -1 with budget_refuse's error. */
int budget_ask(struct budget_share *s, size_t bytes, struct err *e) MUST_CHECK;

/* Pays for `bytes` that will be taken later; false when there are not so many left. */
bool budget_pay_ahead(struct budget_share *s, size_t bytes) MUST_CHECK;

/* Adds `bytes` that another share has paid. */
void budget_credit(struct budget_share *s, size_t bytes);

/* Whether `bytes` more could be taken now. */
bool budget_has_room(const struct budget_share *s, size_t bytes);

/*
 * The error of `bytes` that were not granted: body_too_large when the share can never have them, else overloaded. Gives
 * -1.
 */
int budget_refuse(const struct budget_share *s, size_t bytes, struct err *e);

/* Gives back `bytes` of what the share uses; all of it, and all that was paid in advance. */
void budget_give(struct budget_share *s, size_t bytes);
void budget_give_all(struct budget_share *s);

#endif
