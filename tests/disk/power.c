/* SPDX-License-Identifier: MIT */
#include "tests/disk/power.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/disk/rig.h"
#include "tests/disk/vfs.h"

#define ROUNDS_A_DISK 25
#define BATCHES_MAX 12

/* A disk's life. */
struct life {
	const struct power_plan *plan;
	struct power_counts *counts;
	struct disk *disk;
	uint64_t seed;
	uint64_t random;
	unsigned round;
	bool was_cut; /* the disk has seen a cut */
	struct rig rig;

	/*
	 * What the store held at the start of the round and, for each batch of it, after what it added to windows and
	 * after its changes; the last is of the batch that the cut struck.
	 */
	struct world states[2 * BATCHES_MAX + 1];
	struct world_batch last;                  /* the batch that led to the last state */
	unsigned operations[2 * BATCHES_MAX + 1]; /* acknowledged since the start of the round */
	unsigned acknowledged;                    /* index of the last state that was acknowledged */
	unsigned submitted;                       /* index of the last one */
};

static unsigned
pick(struct life *life, unsigned below)
{
	uint64_t z = life->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 29) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 32) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ z >> 31) % below);
}

static void
report(const struct life *life, const char *what)
{
	if (!life->plan->quiet)
		printf("seed %llu, round %u: %s\n", (unsigned long long)life->seed, life->round, what);
}

static void
corrupt(struct life *life, const char *what)
{
	life->counts->corrupt++;
	report(life, what);
}

/*
 * In some rounds checkpoints come often, so that cuts meet them, or SQLite has so little memory that it reads again,
 * and writes before it commits; in others both are as the store has them.
 */
static void
configure(struct life *life)
{
	static const int pages[] = { 4, 20, 100, 1000 };

	if (life->plan->synchronous != 2)
		rig_set_synchronous(&life->rig, life->plan->synchronous);
	else if (rig_synchronous(&life->rig) != 2)
		corrupt(life, "the store does not run with synchronous=FULL");
	sqlite3_wal_autocheckpoint(life->rig.db, pages[pick(life, 4)]);
	if (pick(life, 3) == 0)
		sqlite3_exec(life->rig.db, "PRAGMA cache_size=8", NULL, NULL, NULL);
}

/* One call of the disk will fail: a flush as a rule, and then it may have lost what it should have written. */
static void
arm_fault(struct life *life)
{
	static const enum disk_op ops[] = { DISK_SYNC, DISK_SYNC, DISK_SYNC, DISK_WRITE, DISK_WRITE, DISK_READ,
		DISK_TRUNCATE };
	struct disk_fault fault = { .op = ops[pick(life, 7)], .nth = 1 + pick(life, 12) };

	fault.loses = pick(life, 2) == 0;
	fault.full = fault.op == DISK_WRITE && pick(life, 2) == 0;
	disk_fail(life->disk, fault);
}

/* Batches until the power goes or the round is over. */
static void
work(struct life *life)
{
	unsigned batches = 1 + pick(life, BATCHES_MAX);
	struct world_batch batch;
	enum rig_outcome outcome;

	for (unsigned i = 0; i < batches && !disk_is_off(life->disk); i++) {
		unsigned now = life->submitted;

		world_make_batch(&batch, &life->states[now], &life->random);
		batch.adds = !life->plan->faults; /* what could not be saved would come with a later batch */
		life->submitted += 2;
		life->states[now + 1] = life->states[now];
		world_apply_adds(&life->states[now + 1], &batch);
		life->operations[now + 1] = life->operations[now];
		life->operations[now + 2] = life->operations[now] + batch.count;
		outcome = rig_run(&life->rig, &life->states[now], &batch, &life->states[now + 2]);
		if (outcome == RIG_WRONG)
			corrupt(life, "a batch was answered in part, or wrongly");
		if (outcome == RIG_STORED) {
			life->acknowledged = life->submitted;
			life->counts->acknowledged += batch.count;
		} else if (!disk_is_off(life->disk)) {
			/* It was told to have failed while there was power: it must not be there. */
			life->submitted = now;
			life->counts->failed += batch.count;
			continue;
		}
		life->last = batch;
	}
}

/* The cut is at an operation of the disk by chance, else after the round. */
static void
work_and_cut(struct life *life)
{
	bool close = pick(life, 3) == 0;

	if (life->plan->faults && pick(life, 2) == 0)
		arm_fault(life);
	disk_cut_at(life->disk, 1 + pick(life, pick(life, 2) == 0 ? 60 : 400));
	work(life);
	if (close && !disk_is_off(life->disk))
		rig_close(&life->rig);
	disk_cut(life->disk);
	rig_close(&life->rig);
	disk_power_on(life->disk);
	life->counts->cuts++;
	life->was_cut = true;
}

/* Opens the store after a cut; with cuts meanwhile, each after another one. False: it does not open. */
static bool
recover(struct life *life)
{
	struct err e = { 0 };

	while (pick(life, 4) == 0) {
		disk_cut_at(life->disk, 1 + pick(life, 20));
		if (rig_open(&life->rig, 1 << 20, &e) == 0 && !disk_is_off(life->disk)) {
			disk_cut_at(life->disk, 0);
			return true;
		}
		rig_close(&life->rig);
		disk_power_on(life->disk);
		life->counts->cuts++;
		life->counts->in_recovery += life->was_cut;
		life->was_cut = true;
	}
	if (rig_open(&life->rig, 1 << 20, &e) == 0)
		return true;
	corrupt(life, e.detail);
	return false;
}

/* The client of the last changes sends the first of them again, with its key: it counts once. */
static void
retry(struct life *life, unsigned found)
{
	bool had = found == life->submitted;
	struct world before;

	if (life->submitted == 0 || found + 1 < life->submitted || !world_batch_can_be_repeated(&life->last))
		return;
	before = life->states[life->submitted - 1];
	if (!rig_repeat(&life->rig, &before, &life->last, had))
		corrupt(life, "a change that was sent again was not taken once");
	if (!had)
		life->states[found] = before;
}

/* Finds out which state the store holds, and makes it the start of the next round. False: none that may be. */
static bool
check(struct life *life)
{
	unsigned found = life->submitted;

	if (!rig_is_sound(&life->rig)) {
		corrupt(life, "integrity_check");
		return false;
	}
	for (unsigned i = 0; i <= life->submitted; i++)
		world_lose_pins(&life->states[i]);
	while (!rig_matches(&life->rig, &life->states[found])) {
		if (found-- == 0) {
			corrupt(life, "the store holds what it never held");
			return false;
		}
	}
	if (found > life->acknowledged)
		life->counts->kept++;
	if (found < life->acknowledged) {
		life->counts->losing++;
		life->counts->lost += life->operations[life->acknowledged] - life->operations[found];
		report(life, "acknowledged operations are lost");
	}
	retry(life, found);
	life->states[0] = life->states[found];
	life->submitted = life->acknowledged = 0;
	return true;
}

static bool
enough(const struct life *life)
{
	return life->counts->cuts >= life->plan->cuts && life->counts->in_recovery >= life->plan->in_recovery;
}

/*
 * From an empty disk until it has seen its rounds, or something went wrong. The first cuts may meet the making of the
 * file.
 */
static void
live(struct life *life)
{
	bool going;

	disk_format(life->disk, life->seed);
	vfs_register(life->disk);
	life->states[0] = (struct world){ 0 };
	life->submitted = life->acknowledged = 0;
	life->was_cut = false;
	life->round = 0;
	going = recover(life) && check(life);
	while (going && ++life->round <= ROUNDS_A_DISK && !enough(life)) {
		configure(life);
		work_and_cut(life);
		going = recover(life) && check(life);
	}
	rig_close(&life->rig);
}

void
power_run(const struct power_plan *plan, struct power_counts *counts)
{
	struct life *life = calloc(1, sizeof(*life));

	if (life == NULL)
		abort();
	*counts = (struct power_counts){ 0 };
	life->plan = plan;
	life->counts = counts;
	life->disk = disk_new(plan->seed);
	disk_lie(life->disk, plan->lying_disk);
	for (life->seed = plan->seed; !enough(life); life->seed++) {
		life->random = life->seed * 1000003;
		live(life);
	}
	vfs_unregister();
	disk_free(life->disk);
	free(life);
}
