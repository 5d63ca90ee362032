/* SPDX-License-Identifier: MIT */
/*
 * What the store forgets by and by. Each chore works in slices, within the transaction of a batch, so that no change
 * waits long for one. The store's thread alone uses it.
 */
#pragma once

#include "storage/batch.h"

struct chores {
	int64_t key_lifetime_s;
	uint64_t keys_max;
	uint64_t due_us;            /* when there is something to do again, without a batch too */
	bool keys_are_short;        /* the log has been told that keys are forgotten before their time */
	int64_t pins_left;          /* pins up to this id were left by a daemon that was killed; 0: none, or dropped */
	struct store_pin *released; /* to be dropped */
};

/* Looks which pins are left. */
int chores_open(struct chores *c, struct backend *b, struct err *e) MUST_CHECK;
void chores_close(struct chores *c);

/* Pins were released: takes the list over, and drops them next. */
void chores_drop_pins(struct chores *c, struct store_pin *released);

bool chores_are_due(const struct chores *c);

/* Begins a batch: the time by which keys are judged, and whether chores that are due are done with it. */
void chores_begin(struct chores *c, struct batch *b);

/* Does a slice of each, before the batch is committed. -1 with `e`: the batch must be rolled back. */
int chores_work(const struct chores *c, struct batch *b, struct err *e) MUST_CHECK;

/* After the commit: lets the next slice follow if there is more, and logs what an operator should know. */
void chores_end(struct chores *c, const struct batch *b);
