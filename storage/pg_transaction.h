/* SPDX-License-Identifier: MIT */
/* Transactions of the PostgreSQL backend, and the daemon's row among all daemons (backend.h has the contracts). */
#pragma once

#include "storage/backend.h"

struct pg_backend;

/*
 * Connects, unless the connection stands. A new one is checked: that it leads to our tables; and it supersedes the one
 * before, whose transaction was committed by now or never will be. *self's `done` is how many were. After a failure its
 * `retry` says whether the new connection was lost again at once.
 */
int pg_ready(struct pg_backend *self, struct err *e) MUST_CHECK;

int pg_begin(struct backend *b, const struct batch_plan *plan, struct err *e) MUST_CHECK;
int pg_commit(struct backend *b, struct err *e) MUST_CHECK;
void pg_rollback(struct backend *b);
int pg_mark(struct backend *b, struct err *e) MUST_CHECK;
int pg_unmark(struct backend *b, bool back, struct err *e) MUST_CHECK;
bool pg_in_transaction(struct backend *b);
bool pg_may_retry(struct backend *b);
int pg_try_write(struct backend *b, struct err *e) MUST_CHECK;
int pg_look(struct backend *b, const struct batch_plan *plan, struct err *e) MUST_CHECK;
void pg_forget(struct backend *b);
bool pg_is_away(const struct backend *b);
