/* SPDX-License-Identifier: MIT */
#include "storage/chores.h"

#include "base/clock.h"
#include "base/log.h"
#include "storage/pins.h"

/* How many rows a slice forgets. A full slice is followed by the next at once, others after the pause. */
#define SLICE ((size_t)1000)
#define PAUSE_US ((uint64_t)60 * 1000000)

/* Keys are short no longer when this part of their number is free: so the log does not flicker at the limit. */
#define CALM_PART 8

int
chores_open(struct chores *c, struct backend *b, struct err *e)
{
	return b->ops->last_pin(b, &c->pins_left, e);
}

void
chores_close(struct chores *c)
{
	pins_free(c->released);
	c->released = NULL;
}

void
chores_drop_pins(struct chores *c, struct store_pin *released)
{
	struct store_pin *last = released;

	while (last->next != NULL)
		last = last->next;
	last->next = c->released;
	c->released = released;
	c->due_us = 0;
}

bool
chores_are_due(const struct chores *c)
{
	return clock_monotonic_us() >= c->due_us;
}

void
chores_begin(struct chores *c, struct batch *b)
{
	b->now_s = clock_realtime_s() + b->backend->clock_offset_s;
	b->keys_since_s = b->now_s - c->key_lifetime_s;
	b->chores_are_due = chores_are_due(c);
	/* Also where the batch fails: the next try is after the pause, not with every batch or in an idle store. */
	if (b->chores_are_due)
		c->due_us = clock_monotonic_us() + PAUSE_US;
}

/* Keys that are older than their lifetime. */
static int
purge_keys(const struct chores *c, struct batch *b, struct err *e)
{
	(void)c;
	if (b->chores_are_due &&
	    b->backend->ops->purge_keys(b->backend, b->keys_since_s, SLICE, &b->keys_purged, e) < 0)
		return -1;
	b->chores_go_on |= b->keys_purged == SLICE;
	return 0;
}

/* The oldest keys where there are too many: in every batch at least as many as it adds, so that no load outruns it. */
static int
trim_keys(const struct chores *c, struct batch *b, struct err *e)
{
	if (b->backend->ops->trim_keys(b->backend, c->keys_max, SLICE + b->keys_added, &b->trimmed, e) < 0)
		return -1;
	b->chores_go_on |= b->trimmed.kept > c->keys_max;
	return 0;
}

static int
drop_pins(const struct chores *c, struct batch *b, struct err *e)
{
	const struct backend_ops *ops = b->backend->ops;

	if (!b->chores_are_due)
		return 0;
	if (c->pins_left != 0 && ops->drop_pins(b->backend, 1, c->pins_left, e) < 0)
		return -1;
	for (const struct store_pin *pin = c->released; pin != NULL; pin = pin->next)
		if (ops->drop_pins(b->backend, pin->id, pin->id, e) < 0)
			return -1;
	return 0;
}

/* What only deleted versions and dropped pins needed. */
static int
reclaim(const struct chores *c, struct batch *b, struct err *e)
{
	bool more = false;

	(void)c;
	if (b->chores_are_due && b->backend->ops->reclaim(b->backend, b->keys_since_s, &more, e) < 0)
		return -1;
	b->chores_go_on |= more;
	return 0;
}

/* The history of layers that were deleted. */
static int
purge_history(const struct chores *c, struct batch *b, struct err *e)
{
	size_t purged = 0;

	(void)c;
	if (b->chores_are_due && b->backend->ops->purge_history(b->backend, SLICE, &purged, e) < 0)
		return -1;
	b->chores_go_on |= purged == SLICE;
	return 0;
}

static int (*const table[])(const struct chores *c, struct batch *b, struct err *e) = { purge_keys, trim_keys,
	drop_pins, reclaim, purge_history };

int
chores_work(const struct chores *c, struct batch *b, struct err *e)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i](c, b, e) < 0)
			return -1;
	return 0;
}

/* A store that starts with too many keys is trimmed first: only then is it known how long keys are remembered now. */
void
chores_end(struct chores *c, const struct batch *b)
{
	const bool early = b->trimmed.forgotten > 0 && b->trimmed.youngest_s >= b->keys_since_s;
	const struct log_field fields[] = { { .name = "key_lifetime_s", .number = (double)c->key_lifetime_s },
		{ .name = "remembered_s", .number = (double)(b->now_s - b->trimmed.youngest_s) },
		{ .name = "max_keys", .number = (double)c->keys_max } };

	if (b->chores_are_due) {
		c->pins_left = 0;
		chores_close(c);
	}
	if (b->chores_go_on)
		c->due_us = 0;
	if (!c->keys_are_short && early && b->trimmed.kept <= c->keys_max) {
		c->keys_are_short = true;
		log_event(LOG_WARN,
		    "more idempotency keys than --max-keys: the oldest are forgotten before --key-lifetime", fields, 3);
	} else if (c->keys_are_short && b->trimmed.kept + c->keys_max / CALM_PART < c->keys_max) {
		c->keys_are_short = false;
		log_event(LOG_INFO, "idempotency keys are remembered for --key-lifetime again", fields, 1);
	}
}
