/* SPDX-License-Identifier: MIT */
/*
 * A store on the faulty disk, driven through its own door: batches are submitted so that each is one transaction, and
 * what comes of it is held against what it should (world.h).
 */
#pragma once

#include <semaphore.h>
#include <sqlite3.h>

#include "tests/disk/disk.h"
#include "tests/disk/world.h"

#define RIG_FILE "faulty.db"

struct rig {
	struct store *store;
	sqlite3 *db;     /* the store's connection: only while the store is idle */
	unsigned untold; /* operations of which the store has not told yet: its thread's, until it posts */
	sem_t told;
	struct store_op ops[WORLD_STEPS_MAX]; /* each where its change begins */
	struct store_write writes[WORLD_STEPS_MAX];
	struct update updates[WORLD_STEPS_MAX];
	struct statistics statistics[WORLD_STEPS_MAX];
	struct moments totals[WORLD_STEPS_MAX];
	const char *names[WORLD_STEPS_MAX][2];
	char keys[WORLD_STEPS_MAX][20];
	char versions[WORLD_STEPS_MAX][20];
	struct store_pin *pins[WORLD_MODELS];             /* as the world has them */
	double mean[WORLD_STEPS_MAX][WORLD_FEATURES_MAX]; /* of updates; weights too */
	double var[WORLD_STEPS_MAX][WORLD_FEATURES_MAX];
};

enum rig_outcome {
	RIG_STORED,   /* all was answered as the world has it */
	RIG_FAILED,   /* all of it failed: nothing of it may be there, now and later */
	RIG_DOUBTFUL, /* all of it failed, and was told that it may be there after a restart */
	RIG_WRONG     /* part of it, or with other answers */
};

/* -1 with `e`: the store did not open. */
int rig_open(struct rig *rig, size_t cache_bytes, struct err *e);
void rig_close(struct rig *rig); /* also when it is not open; with it go the pins (world_lose_pins) */

/* Waits until the store has nothing to do but for what it does once a minute. */
void rig_settle(struct rig *rig);

/* A setting of the store's connection that the store itself does not offer, and what it is now. */
void rig_set_synchronous(struct rig *rig, int level);
int rig_synchronous(struct rig *rig);

/* Submits the batch as one transaction and waits for it. `next`: the world after it. */
enum rig_outcome rig_run(struct rig *rig, const struct world *now, const struct world_batch *batch, struct world *next);

/*
 * Sends the batch's first change again, as a client does who does not know what became of it. True: the store had it
 * (`had`) or had it not, and answers either as it did or should have the first time. Moves `before` on by it.
 */
bool rig_repeat(struct rig *rig, struct world *before, const struct world_batch *batch, bool had);

/* Whether every layer, version and list of the store is as the world has it. False also when it cannot be read. */
bool rig_matches(struct rig *rig, const struct world *w);

/* How many layers the store remembers this key with, which a step's number makes. */
int rig_keys(struct rig *rig, uint64_t number);

/* PRAGMA integrity_check. */
bool rig_is_sound(struct rig *rig);
