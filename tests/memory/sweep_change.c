/* SPDX-License-Identifier: MIT */
/*
 * A change of several layers, given to the store. Whichever allocation fails, all of it is stored or nothing, as was
 * answered; and its key is known if it is.
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/memory/service.h"
#include "tests/memory/sweeps.h"
#include "tests/memory/trial.h"

#define DEFINITION "{\"kind\":\"batch_norm\"}"

static double mean[] = { 1, 2 }, var[] = { 3, 4 };
static const struct statistics put = { 2, 5, 0, mean, var, 0 };
static const struct update update = {
	.averaging = AVERAGING_EXPONENTIAL, .momentum = 0.5, .count = 4, .features = 2, .mean = mean, .var = var
};

static const struct update pooled[] = {
	{ .averaging = AVERAGING_POOLED, .count = 4, .features = 2, .mean = mean, .var = var },
	{ .averaging = AVERAGING_POOLED, .count = 4, .features = 2, .mean = mean, .var = var },
};
static const struct moments totals = { 4, mean, var };
static const char *const folded[] = { "a" };

static struct store_write made[] = {
	{ .kind = STORE_LAYER_CREATE, .model = "m", .layer = "old", .create = { .definition = DEFINITION } },
	{ .kind = STORE_LAYER_CREATE, .model = "m", .layer = "open", .create = { .definition = DEFINITION } },
	{ .kind = STORE_LAYER_CREATE, .model = "m", .layer = "gone", .create = { .definition = DEFINITION } },
	{ .kind = STORE_UPDATE, .model = "m", .layer = "old", .updates = { .list = &update, .count = 1 } },
	{ .kind = STORE_LAYER_CREATE, .model = "m", .layer = "sourced", .create = { .definition = DEFINITION } },
	{ .kind = STORE_UPDATE, .model = "m", .layer = "sourced", .updates = { .list = pooled, .count = 1 } },
	{ .kind = STORE_SOURCE_PUT, .model = "m", .layer = "sourced", .source = { "a", &totals, 2, 0 } },
	{ .kind = STORE_SOURCE_PUT, .model = "m", .layer = "sourced", .source = { "b", &totals, 2, 0 } },
};

static struct store_write asked[] = {
	{ .kind = STORE_UPDATE, .model = "m", .layer = "old", .updates = { .list = &update, .count = 1 } },
	{ .kind = STORE_LAYER_CREATE, .model = "m", .layer = "new", .create = { .definition = DEFINITION } },
	{ .kind = STORE_STATISTICS_PUT, .model = "m", .layer = "new", .statistics = &put },
	{ .kind = STORE_UPDATE, .model = "m", .layer = "open", .updates = { .list = &update, .count = 1 } },
	{ .kind = STORE_LAYER_DELETE, .model = "m", .layer = "gone" },
	{ .kind = STORE_SOURCE_PUT, .model = "m", .layer = "sourced", .source = { "c", &totals, 2, 0 } },
	{ .kind = STORE_UPDATE,
	    .model = "m",
	    .layer = "sourced",
	    .updates = { .list = pooled, .count = 2, .source = "d" } },
	{ .kind = STORE_SOURCE_DELETE, .model = "m", .layer = "sourced", .source.name = "b" },
	{ .kind = STORE_SOURCES_FOLD, .model = "m", .layer = "sourced", .fold = { folded, 1, 0 } },
	{ .kind = STORE_MODEL_FREEZE, .model = "m", .frozen = true },
};

/* Each as a change of its own, so that it takes itself back. */
static struct store_write alone[] = {
	{ .kind = STORE_SOURCE_PUT, .model = "m", .layer = "sourced", .source = { "c", &totals, 2, 0 } },
	{ .kind = STORE_UPDATE, .model = "m", .layer = "sourced", .updates = { .list = pooled, .count = 1 } },
	{ .kind = STORE_SOURCES_FOLD, .model = "m", .layer = "sourced", .fold = { folded, 1, 0 } },
	{ .kind = STORE_SOURCE_PUT, .model = "m", .layer = "old", .source = { "first", &totals, 2, 0 } },
};

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

static sem_t done;

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
	must(store_submit(service.store, &op, &e) == 0, "store_submit");
	sem_wait(&done);
	return op;
}

static struct store_op
run_change(struct store_write *writes, size_t count, const char *key)
{
	struct store_op op =
	    run((struct store_op){ .kind = STORE_CHANGE, .change = { .writes = writes, .count = count, .key = key } });

	store_op_fini(&op);
	return op;
}

/* -1 where there is no such layer. */
static void
check(const char *layer, long expected)
{
	struct store_op op = run((struct store_op){ .kind = STORE_LAYER_GET, .get = { .model = "m", .layer = layer } });
	long revision = op.get.snapshot == NULL ? -1 : (long)op.get.snapshot->revision;
	char text[64];

	snprintf(text, sizeof(text), "revision %ld, not %ld", revision, expected);
	if (revision != expected)
		trial_complain(layer, text);
	store_op_fini(&op);
}

/* That the layer's sources can be read, and are `expected`. */
static void
check_sources(const char *layer, size_t expected)
{
	struct store_op op = run(
	    (struct store_op){ .kind = STORE_SOURCES_GET, .sources = { .model = "m", .layer = layer, .limit = 100 } });

	if (op.err.code != ERR_NONE || op.sources.count != expected)
		trial_complain(layer, "its sources");
	store_op_fini(&op);
}

static void
make_layers(void)
{
	struct store_write drop = { .kind = STORE_MODEL_DELETE, .model = "m" };

	(void)run_change(&drop, 1, NULL);
	must(run_change(made, COUNT(made), NULL).err.code == ERR_NONE, "the layers");
}

static void
try_alone(size_t i)
{
	struct store_op op;

	make_layers();
	trial_arm();
	op = run_change(&alone[i], 1, NULL);
	trial_disarm();
	if (op.err.code != ERR_NONE && op.err.code != ERR_OVERLOADED)
		trial_complain("a write to sources", op.err.detail);
	check(alone[i].layer, 1 + (op.err.code == ERR_NONE));
	check_sources("sourced", 2 + (size_t)(op.err.code == ERR_NONE && i == 0) - (op.err.code == ERR_NONE && i == 2));
	if (op.err.code != ERR_NONE && run_change(&alone[i], 1, NULL).err.code != ERR_NONE)
		trial_complain("a write to sources", "it is refused afterwards");
}

static void
try_page(void)
{
	struct store_op op;

	make_layers();
	trial_arm();
	op = run((struct store_op){
	    .kind = STORE_SOURCES_GET, .sources = { .model = "m", .layer = "sourced", .limit = 100 } });
	trial_disarm();
	if (op.err.code == ERR_NONE ? op.sources.count != 2 : op.err.code != ERR_OVERLOADED)
		trial_complain("a page of sources", op.err.detail);
	store_op_fini(&op);
}

static void
try_change(void)
{
	struct store_op op;
	bool stored;

	make_layers();
	trial_arm();
	op = run_change(asked, COUNT(asked), "k");
	trial_disarm();
	stored = op.err.code == ERR_NONE;
	if (!stored && op.err.code != ERR_OVERLOADED)
		trial_complain("the change", op.err.detail);
	/* The change raises each revision once, and freezing the model once more. */
	check("old", stored ? 3 : 1);
	check("new", stored ? 2 : -1);
	check("open", stored ? 2 : 0);
	check("gone", stored ? -1 : 0);
	check("sourced", stored ? 3 : 1);
	check_sources("sourced", 2);
	op = run_change(asked, COUNT(asked), "k");
	if (op.err.code != ERR_NONE || op.change.repeated != stored)
		trial_complain("the same again", op.err.detail);
}

void
sweep_change(void)
{
	sem_init(&done, 0, 0);
	trial_begin("a change of several layers");
	trial_sweep(FAULT_ONCE, FAULT_OURS);
	while (trial_next())
		try_change();
	trial_sweep(FAULT_FROM_THEN_ON, FAULT_OURS);
	while (trial_next())
		try_change();
	trial_end();
	for (size_t i = 0; i < COUNT(alone); i++) {
		trial_begin("a write to sources");
		trial_sweep(FAULT_ONCE, FAULT_OURS);
		while (trial_next())
			try_alone(i);
		trial_end();
	}
	trial_begin("a page of sources");
	trial_sweep(FAULT_ONCE, FAULT_OURS);
	while (trial_next())
		try_page();
	trial_end();
	sem_destroy(&done);
}
