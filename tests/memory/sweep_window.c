/* SPDX-License-Identifier: MIT */
/*
 * A window of inference gets values, is saved and read. Whichever allocation fails, the values are there or left out as
 * a whole, no other change suffers from the saving but by `overloaded`, and what is there is still there after the
 * store was opened anew.
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "handlers/definition_stored.h"
#include "tests/memory/service.h"
#include "tests/memory/sweeps.h"
#include "tests/memory/trial.h"

#define VALUES 120 /* enough for a row in the history */

static double mean[] = { 1, 2 }, var[] = { 3, 4 };
static const struct statistics put = { 2, 5, 0, mean, var, 0 };
static const struct moments values = { VALUES, mean, var };

static char directory[64], path[80], url[96];
static struct store *store;
static sem_t done;

static void
open_store(void)
{
	/* A window is saved with every batch, and a row of the history may be made in every second. */
	const struct store_options options = { .url = url,
		.queue_max = 16,
		.cache_bytes_max = 1 << 20,
		.sources_bytes_max = 1 << 20,
		.windows_interval_us = 1,
		.history_interval_s = 1,
		.definitions = definition_ops };
	struct err e = { 0 };

	store = store_open(&options, &e);
	must(store != NULL, e.detail);
}

static void
post(struct store_op *op)
{
	(void)op;
	sem_post(&done);
}

static struct store_op
run(struct store_op op)
{
	struct err e;

	op.done = post;
	must(store_submit(store, &op, &e) == 0, "store_submit");
	sem_wait(&done);
	return op;
}

static enum err_code
change(struct store_write write)
{
	struct store_op op;

	write.model = "m";
	write.layer = "l";
	op = run((struct store_op){ .kind = STORE_CHANGE, .change = { .writes = &write, .count = 1 } });
	store_op_fini(&op);
	return op.err.code;
}

/* What the window counts; -1: it could not be read. */
static long
count(void)
{
	struct store_op op =
	    run((struct store_op){ .kind = STORE_WINDOW_GET, .window = { .model = "m", .layer = "l" } });
	const long n = op.err.code == ERR_NONE ? (long)op.window.moments.count : -1;

	if (n < 0 && op.err.code != ERR_OVERLOADED)
		trial_complain("the window", op.err.detail);
	store_op_fini(&op);
	return n;
}

static void
expect(const char *what, long n, long expected)
{
	char text[64];

	snprintf(text, sizeof(text), "%ld values, not %ld", n, expected);
	if (n != expected)
		trial_complain(what, text);
}

static const struct snapshot *
state(void)
{
	return run((struct store_op){ .kind = STORE_LAYER_GET, .get = { .model = "m", .layer = "l" } }).get.snapshot;
}

static void
try_window(void)
{
	const struct snapshot *layer;
	enum err_code code;
	long seen, there;

	open_store();
	must(change((struct store_write){ .kind = STORE_WINDOW_RESET }) == ERR_NONE, "a reset");
	layer = state();
	trial_arm();
	store_window_add(layer, &values);
	code = change((struct store_write){ .kind = STORE_FREEZE, .frozen = !layer->frozen });
	seen = count();
	trial_disarm();
	if (code != ERR_NONE && code != ERR_OVERLOADED)
		trial_complain("a change", "it fails, but not for want of memory");
	there = count();
	if (there != 0 && there != VALUES)
		trial_complain("the window", "it has a part of the values");
	if (seen >= 0)
		expect("the window afterwards", there, seen);
	store_window_add(layer, &values);
	expect("more values", count(), there + VALUES);
	snapshot_unref(layer);
	store_close(store);
	open_store();
	expect("the window of a new store", count(), there + VALUES);
	store_close(store);
}

void
sweep_window(void)
{
	const char *memory = "/dev/shm";

	snprintf(directory, sizeof(directory), "%s/normd-fault-XXXXXX", access(memory, W_OK) == 0 ? memory : "/tmp");
	must(mkdtemp(directory) != NULL, directory);
	snprintf(path, sizeof(path), "%s/s.db", directory);
	snprintf(url, sizeof(url), "sqlite:%s", path);
	sem_init(&done, 0, 0);
	open_store();
	must(change((struct store_write){
		 .kind = STORE_LAYER_CREATE, .create = { .definition = "{\"kind\":\"batch_norm\"}" } }) == ERR_NONE,
	    "a layer");
	must(
	    change((struct store_write){ .kind = STORE_STATISTICS_PUT, .statistics = &put }) == ERR_NONE, "statistics");
	store_close(store);
	trial_begin("a window of inference");
	trial_sweep(FAULT_ONCE, FAULT_OURS);
	while (trial_next())
		try_window();
	trial_sweep(FAULT_FROM_THEN_ON, FAULT_OURS);
	while (trial_next())
		try_window();
	trial_end();
	sem_destroy(&done);
	unlink(path);
	must(rmdir(directory) == 0, directory);
}
