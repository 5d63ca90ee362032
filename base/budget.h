/* SPDX-License-Identifier: MIT */
/*
 * A memory budget that requests share. Code asks here before it allocates, so that too much at once is refused, before
 * the kernel's out-of-memory killer notices. The budget counts the bytes that were asked for, not the allocator's own.
 *
 * A share may pay in advance, or get credit from what another share has paid: small takes then need no atomic
 * operation. Threads may use one budget at once, each with shares of its own.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"

struct budget {
	size_t bytes_max; /* immutable */
	atomic_size_t bytes;
};

/* What one request has taken. Without a budget (a zeroed share, or NULL for one) everything is granted. */
struct budget_share {
	struct budget *budget;
	size_t bytes;  /* in use */
	size_t paid;   /* taken from the budget for these and in advance, and the credit */
	size_t credit; /* the part of `paid` that another share has paid */
};

void budget_init(struct budget *b, size_t bytes_max);

/* Takes `bytes` more. False: fewer are left, and none are taken. */
bool budget_take(struct budget_share *s, size_t bytes) MUST_CHECK;

/* The same, with budget_refuse's error. */
int budget_ask(struct budget_share *s, size_t bytes, struct err *e) MUST_CHECK;

/* Pays for `bytes` that will be taken later. False: fewer are left. */
bool budget_pay_ahead(struct budget_share *s, size_t bytes) MUST_CHECK;

/* Adds `bytes` that another share has paid. */
void budget_credit(struct budget_share *s, size_t bytes);

/* Whether `bytes` more could be taken now. */
bool budget_has_room(const struct budget_share *s, size_t bytes);

/* The error of `bytes` that were not granted: body_too_large if the share can never have them, else overloaded. -1. */
int budget_refuse(const struct budget_share *s, size_t bytes, struct err *e);

/* Gives back `bytes` of what the share uses; or all of it, and what was paid in advance. */
void budget_give(struct budget_share *s, size_t bytes);
void budget_give_all(struct budget_share *s);
