/* SPDX-License-Identifier: MIT */
/*
 * Writes to sources one at a time: their limits, what they do to the layer, what a refusal leaves, how they are read,
 * and their memory.
 */
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "storage/moves.h"
#include "storage/source_trees.h"
#include "storage/sqlite_errors.h"
#include "storage/sqlite_open.h"
#include "tests/unit/gate.h"
#include "tests/unit/opaque.h"
#include "tests/unit/scratch_store.h"

#define MAX ((uint64_t)INT64_MAX)

static struct store *s;

static void
setup(void)
{
	scratch_setup();
	s = scratch_open();
	(void)scratch_write(
	    s, (struct store_write){ .kind = STORE_LAYER_CREATE, .create = { .definition = "d", .features = 1 } });
}

static void
teardown(void)
{
	store_close(s);
	scratch_teardown();
}

static void
reopen(void)
{
	store_close(s);
	s = scratch_open();
}

/* What a query gives, as one number, of the closed store. */
static int
ask(const char *sql)
{
	int value;

	store_close(s);
	value = scratch_ask(sql);
	s = scratch_open();
	return value;
}

static void
expect(struct store_write write, enum err_code code)
{
	struct scratch_change c = scratch_run_change(s, (struct scratch_change){ .write = write });

	ck_assert_msg(c.op.err.code == code, "%d, not %d: %s", c.op.err.code, code, c.op.err.detail);
	snapshot_unref(c.write.result.snapshot);
}

static void
put(const char *name, uint64_t count, double mean, double var, enum err_code code)
{
	const struct moments totals = { count, &mean, &var };

	expect((struct store_write){ .kind = STORE_SOURCE_PUT, .source = { name, &totals, 1, 0 } }, code);
}

static void
drop(const char *name, enum err_code code)
{
	expect((struct store_write){ .kind = STORE_SOURCE_DELETE, .source = { .name = name } }, code);
}

static void
update(const char *source, uint64_t count, double mean, double var, enum err_code code)
{
	const struct update u = {
		.averaging = AVERAGING_POOLED, .count = count, .features = 1, .mean = &mean, .var = &var
	};

	expect((struct store_write){ .kind = STORE_UPDATE, .updates = { .list = &u, .count = 1, .source = source } },
	    code);
}

static void
fold(const char *first, const char *second, enum err_code code)
{
	const char *names[] = { first, second };

	expect((struct store_write){ .kind = STORE_SOURCES_FOLD, .fold = { names, second == NULL ? 1 : 2, 0 } }, code);
}

/* `count` -1: it has no statistics. */
static void
assert_layer(uint64_t revision, uint64_t batches, size_t sources, int64_t count, double mean, double var)
{
	const struct snapshot *l = scratch_layer(s, "l");

	ck_assert_uint_eq(l->revision, revision);
	ck_assert_uint_eq(l->statistics.num_batches_tracked, batches);
	ck_assert_uint_eq(l->sources, sources);
	ck_assert_int_eq(l->statistics.mean != NULL, count >= 0);
	if (count >= 0) {
		ck_assert_uint_eq(l->statistics.count, (uint64_t)count);
		ck_assert_double_eq(l->statistics.mean[0], mean);
		ck_assert_double_eq(l->statistics.var[0], var);
	}
	snapshot_unref(l);
}

START_TEST(totals_replace_and_go)
{
	put("a", 2, 1, 1, ERR_NONE);
	assert_layer(1, 0, 1, 2, 1, 1);
	put("b", 2, 3, 1, ERR_NONE);
	assert_layer(2, 0, 2, 4, 2, 2);
	put("b", 2, 1, 1, ERR_NONE); /* as many values, but others */
	assert_layer(3, 0, 2, 4, 1, 1);
	put("b", 1, 1, 1, ERR_SOURCE_WENT_BACK);
	put("none", 0, NAN, NAN, ERR_NONE); /* counts nothing */
	assert_layer(4, 0, 3, 4, 1, 1);
	update("b", 4, 5, 1, ERR_NONE);
	assert_layer(5, 1, 3, 8, 3, 5);
	reopen();
	drop("b", ERR_NONE);
	assert_layer(6, 1, 2, 2, 1, 1);
	drop("b", ERR_NO_SUCH_SOURCE);
	put("b", 1, 4, 0, ERR_NONE); /* one that begins anew */
	assert_layer(7, 1, 3, 3, 2, 2.0 / 3 + 2);
}
END_TEST

START_TEST(the_last_source_leaves_the_layer_as_it_would_be_without_it)
{
	put("a", 2, 1, 1, ERR_NONE);
	put("b", 0, 0, 0, ERR_NONE);
	update(NULL, 3, 7, 2, ERR_NONE);
	drop("a", ERR_NONE);
	assert_layer(4, 1, 1, 3, 7, 2);
	drop("b", ERR_NONE);
	assert_layer(5, 1, 0, 3, 7, 2);
	ck_assert_int_eq(ask("SELECT count(*) FROM source"), 0);
	update(NULL, 3, 1, 2, ERR_NONE);
	assert_layer(6, 2, 0, 6, 4, 11);
}
END_TEST

START_TEST(without_a_part_a_layer_is_as_never_trained)
{
	update("a", 2, 1, 1, ERR_NONE);
	assert_layer(1, 1, 1, 2, 1, 1);
	put("b", 0, 0, 0, ERR_NONE);
	drop("a", ERR_NONE);
	assert_layer(3, 1, 1, -1, 0, 0);
	reopen();
	assert_layer(3, 1, 1, -1, 0, 0);
	drop("b", ERR_NONE);
	assert_layer(4, 1, 0, -1, 0, 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM source"), 0);
	update(NULL, 2, 1, 1, ERR_NONE);
	assert_layer(5, 2, 0, 2, 1, 1);
}
END_TEST

START_TEST(what_is_folded_stays_and_its_name_is_free)
{
	put("a", 2, 1, 1, ERR_NONE);
	put("b", 2, 3, 1, ERR_NONE);
	put("empty", 0, 0, 0, ERR_NONE);
	fold("a", "none", ERR_NO_SUCH_SOURCE);
	fold("a", "a", ERR_NO_SUCH_SOURCE);
	fold("a", "", ERR_NO_SUCH_SOURCE);
	assert_layer(3, 0, 3, 4, 2, 2);
	fold("b", "empty", ERR_NONE);
	assert_layer(4, 0, 1, 4, 2, 2);
	ck_assert_int_eq(ask("SELECT count(*) FROM source WHERE name = '' AND count = 2"), 1);
	put("b", 1, 2, 0, ERR_NONE);
	fold("a", "b", ERR_NONE);
	assert_layer(6, 0, 0, 5, 2, 8.0 / 5);
	ck_assert_int_eq(ask("SELECT count(*) FROM source"), 0);
	fold("a", NULL, ERR_NO_SUCH_SOURCE);
}
END_TEST

static void
assert_same_bits(const char *layer, const char *other)
{
	const struct snapshot *a = scratch_layer(s, layer), *b = scratch_layer(s, other);

	ck_assert_uint_eq(a->sources, b->sources);
	ck_assert_uint_eq(a->statistics.count, b->statistics.count);
	ck_assert_mem_eq(a->statistics.mean, b->statistics.mean, sizeof(double));
	ck_assert_mem_eq(a->statistics.var, b->statistics.var, sizeof(double));
	snapshot_unref(a);
	snapshot_unref(b);
}

/* In both layers. */
static void
put_twice(const char *name, uint64_t count)
{
	const double mean = sqrt((double)count), var = 1 / mean;
	const struct moments totals = { count, &mean, &var };

	expect((struct store_write){ .kind = STORE_SOURCE_PUT, .source = { name, &totals, 1, 0 } }, ERR_NONE);
	expect((struct store_write){ .kind = STORE_SOURCE_PUT, .layer = "m", .source = { name, &totals, 1, 0 } },
	    ERR_NONE);
	assert_same_bits("l", "m");
}

/* A fold of many pools once, also when it is refused; one of few pools each time. */
START_TEST(many_are_folded_as_one_at_a_time)
{
	enum { SOURCES = 64, FOLDED = 40 };
	static char texts[SOURCES][8];
	const char *names[FOLDED + 1];

	scratch_create(s, "m");
	for (size_t i = 0; i < SOURCES; i++) {
		snprintf(texts[i], sizeof(texts[i]), "s%zu", i);
		put_twice(texts[i], 2 + i);
	}
	for (size_t i = 0; i < FOLDED; i++)
		names[i] = texts[i];
	names[FOLDED] = "none";
	expect(
	    (struct store_write){ .kind = STORE_SOURCES_FOLD, .fold = { names, FOLDED + 1, 0 } }, ERR_NO_SUCH_SOURCE);
	assert_same_bits("l", "m");
	put_twice("s1", 1000);
	expect((struct store_write){ .kind = STORE_SOURCES_FOLD, .fold = { names, FOLDED, 0 } }, ERR_NONE);
	for (size_t i = 0; i < FOLDED; i++)
		expect((struct store_write){ .kind = STORE_SOURCES_FOLD, .layer = "m", .fold = { &names[i], 1, 0 } },
		    ERR_NONE);
	assert_same_bits("l", "m");
	put_twice("s50", 2000);
	put_twice("s1", 7);
}
END_TEST

/* Without the middle one, the outer two have no variance that a double holds. In trees of any shape. */
START_TEST(a_fold_whose_rest_overflows_leaves_the_pool)
{
	static const double means[] = { 0, 1.5e154, -1.5e154 }, var = 0;

	for (int i = 0; i < 12; i++) {
		char layer[32], names[3][32];
		const char *middle = names[0];
		struct moments totals[3];

		snprintf(layer, sizeof(layer), "outer%d", i);
		scratch_create(s, layer);
		for (size_t k = 0; k < 3; k++) {
			snprintf(names[k], sizeof(names[k]), "%c%d", "bac"[k], i);
			totals[k] = (struct moments){ k == 0 ? 1000 : 1, &means[k], &var };
		}
		for (size_t k = 0; k < 6; k++)
			expect((struct store_write){ .kind = STORE_SOURCE_PUT,
				   .layer = layer,
				   .source = { names[k % 3], &totals[k % 3], 1, 0 } },
			    ERR_NONE);
		expect((struct store_write){ .kind = STORE_SOURCE_DELETE, .layer = layer, .source.name = middle },
		    ERR_NON_FINITE_INPUT);
		expect((struct store_write){ .kind = STORE_SOURCES_FOLD, .layer = layer, .fold = { &middle, 1, 0 } },
		    ERR_NON_FINITE_INPUT);
		for (size_t k = 0; k < 3; k++)
			expect(
			    (struct store_write){
				.kind = STORE_SOURCE_PUT, .layer = layer, .source = { names[k], &totals[k], 1, 0 } },
			    ERR_NONE);
	}
}
END_TEST

/* Without b, the variance of a and c together overflows. Once c has gone as well, nothing does. */
START_TEST(a_fold_may_overflow_on_its_way)
{
	put("a", 1, 1.5e154, 0, ERR_NONE);
	put("b", 1000, 0, 0, ERR_NONE);
	put("c", 1, -1.5e154, 0, ERR_NONE);
	/* With so many sources, a fold of two computes the pool after each of them. */
	for (int i = 0; i < 64; i++) {
		const char name[] = { 'z', (char)('0' + i), '\0' };

		put(name, 0, 0, 0, ERR_NONE);
	}
	fold("b", NULL, ERR_NON_FINITE_INPUT);
	fold("b", "none", ERR_NO_SUCH_SOURCE);
	put("b", 1001, 0, 0, ERR_NONE);
	fold("b", "c", ERR_NONE);
	put("c", 1, 0, 0, ERR_NONE);
	drop("a", ERR_NONE);
	drop("c", ERR_NONE);
}
END_TEST

START_TEST(counts_end_at_2_63)
{
	put("a", MAX, 1, 1, ERR_NONE);
	assert_layer(1, 0, 1, INT64_MAX, 1, 1);
	put("b", 1, 1, 1, ERR_BAD_PARAMETER);
	update("b", 1, 1, 1, ERR_BAD_PARAMETER);
	update("a", 1, 1, 1, ERR_BAD_PARAMETER);
	update(NULL, 1, 1, 1, ERR_BAD_PARAMETER);
	put("a", MAX + 1, 1, 1, ERR_BAD_PARAMETER);
	put("b", UINT64_MAX, 1, 1, ERR_BAD_PARAMETER);
	put("b", 0, 1, 1, ERR_NONE);
	reopen();
	put("a", MAX - 1, 1, 1, ERR_SOURCE_WENT_BACK);
	assert_layer(2, 0, 2, INT64_MAX, 1, 1);
	fold("a", NULL, ERR_NONE);
	put("b", 1, 1, 1, ERR_BAD_PARAMETER);
	assert_layer(3, 0, 1, INT64_MAX, 1, 1);
}
END_TEST

START_TEST(a_pool_that_overflows_is_refused)
{
	const double nan = NAN;

	update(NULL, 1, -1e200, 0, ERR_NONE);
	put("a", 1, 1e200, 0, ERR_NON_FINITE_INPUT);
	assert_layer(1, 1, 0, 1, -1e200, 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM source"), 0);
	put("b", 1, -1e200, 0, ERR_NONE);
	put("a", 1, 1e200, 0, ERR_NON_FINITE_INPUT);
	put("b", 1, 1e200, 0, ERR_NON_FINITE_INPUT);
	update("b", 1, 1e200, 0, ERR_NON_FINITE_INPUT);
	update(NULL, 1, 1e200, 0, ERR_NON_FINITE_INPUT);
	put("a", 1, nan, 0, ERR_NON_FINITE_INPUT);
	put("a", 1, 0, INFINITY, ERR_NON_FINITE_INPUT);
	assert_layer(2, 1, 1, 2, -1e200, 0);
	put("b", 3, -1e200, 0, ERR_NONE);
	assert_layer(3, 1, 1, 4, -1e200, 0);
}
END_TEST

/* What counts nothing cannot make the pool overflow. */
START_TEST(statistics_without_weight_do_not_reach_the_pool)
{
	double mean = -1e308, var = 1;
	const struct statistics given = { 1, 3, 0, &mean, &var, 0 };

	(void)scratch_write(s, (struct store_write){ .kind = STORE_STATISTICS_PUT, .statistics = &given });
	put("a", 2, 1e308, 1, ERR_NONE);
	assert_layer(2, 3, 1, 2, 1e308, 1);
	drop("a", ERR_NONE);
	assert_layer(3, 3, 0, 0, -1e308, 1);
}
END_TEST

START_TEST(other_features_and_other_averagings_are_refused)
{
	double two[2] = { 1, 1 };
	const struct moments wide = { 2, two, two };
	const struct update exponential = {
		.averaging = AVERAGING_EXPONENTIAL, .momentum = 0.5, .count = 4, .features = 1, .mean = two, .var = two
	};
	const struct store_write updates[] = {
		{ .kind = STORE_UPDATE, .updates = { .list = &exponential, .count = 1, .source = "a" } },
		{ .kind = STORE_UPDATE, .updates = { .list = &exponential, .count = 1 } },
	};

	expect((struct store_write){ .kind = STORE_SOURCE_PUT, .source = { "b", &wide, 2, 0 } }, ERR_SHAPE_MISMATCH);
	put("a", 2, 1, 1, ERR_NONE);
	expect((struct store_write){ .kind = STORE_SOURCE_PUT, .source = { "b", &wide, 2, 0 } }, ERR_SHAPE_MISMATCH);
	for (int i = 0; i < 2; i++)
		expect(updates[i], ERR_BAD_PARAMETER);
	assert_layer(1, 0, 1, 2, 1, 1);
	/* The first source fixes an open number of features. */
	scratch_create(s, "open");
	expect((struct store_write){ .kind = STORE_SOURCE_DELETE, .layer = "open", .source.name = "b" },
	    ERR_NO_SUCH_SOURCE);
	expect((struct store_write){ .kind = STORE_SOURCE_PUT, .layer = "open", .source = { "b", &wide, 2, 0 } },
	    ERR_NONE);
	if (!scratch_is_postgresql())
		ck_assert_int_eq(ask("SELECT features FROM state ORDER BY layer_id DESC"), 2);
}
END_TEST

/* Many writes of one layer at once. */
static void
put_many(unsigned first, unsigned end, const char *(*name)(unsigned i, char *out))
{
	static struct scratch_change changes[STORE_SOURCES_MAX];
	static char names[STORE_SOURCES_MAX][32];
	static double one = 1;
	static const struct moments totals = { 1, &one, &one };

	for (unsigned i = first; i < end; i++) {
		changes[i] = (struct scratch_change){ .write = { .kind = STORE_SOURCE_PUT,
							  .source = { name(i, names[i]), &totals, 1, 0 } } };
		scratch_submit_change(s, &changes[i]);
	}
	scratch_wait(end - first);
	for (unsigned i = first; i < end; i++)
		ck_assert_msg(changes[i].op.err.code == ERR_NONE, "%s", changes[i].op.err.detail);
}

static const char *
plain_name(unsigned i, char *out)
{
	snprintf(out, 32, "s%04u", i);
	return out;
}

START_TEST(the_4097th_source_is_refused)
{
	put_many(0, STORE_SOURCES_MAX, plain_name);
	assert_layer(4096, 0, 4096, 4096, 1, 1);
	put("one_more", 1, 1, 1, ERR_TOO_MANY_SOURCES);
	put("one_more", 0, 1, 1, ERR_TOO_MANY_SOURCES);
	update("one_more", 1, 1, 1, ERR_TOO_MANY_SOURCES);
	put("s0000", 2, 1, 1, ERR_NONE);
	reopen();
	put("one_more", 1, 1, 1, ERR_TOO_MANY_SOURCES);
	update(NULL, 1, 1, 1, ERR_NONE);
	fold("s0007", NULL, ERR_NONE);
	put("one_more", 1, 1, 1, ERR_NONE);
	assert_layer(4100, 1, 4096, 4099, 1, 1);
}
END_TEST

#define HOSTILE 1024

/* Names in rising order whose places in the heap fall: the tree is a list, as deep as it has sources. */
static const char *
hostile_name(unsigned i, char *out)
{
	const uint64_t part = UINT64_MAX / HOSTILE, least = (HOSTILE - 1 - i) * part;
	struct source *source;
	uint64_t priority;

	for (unsigned k = 0;; k++) {
		snprintf(out, 32, "s%04u-%u", i, k);
		source = source_new(0, out, 0);
		priority = source->priority;
		source_free(source);
		if (priority >= least && priority - least < part)
			return out;
	}
}

START_TEST(names_that_unbalance_the_tree_are_harmless)
{
	put_many(0, HOSTILE, hostile_name);
	reopen();
	drop("s0000-", ERR_NO_SUCH_SOURCE);
	update(NULL, 1, 1, 1, ERR_NONE);
	assert_layer(HOSTILE + 1, 1, HOSTILE, HOSTILE + 1, 1, 1);
}
END_TEST

/* The places in the heap are for good: by others, the pools that are stored would not be those of their sources. */
START_TEST(stored_pools_keep_their_bits)
{
	static const char *const names[] = { "a", "worker-1", "Z.9_" };
	static const uint64_t priorities[] = { 0x3aec69d286fbd39b, 0x360f2641c440097a, 0x0ec9fc74050f4207 };

	for (int i = 0; i < 3; i++) {
		struct source *source = source_new(0, names[i], 0);

		ck_assert_msg(
		    source->priority == priorities[i], "\"%s\" has 0x%016" PRIx64, names[i], source->priority);
		source_free(source);
	}
}
END_TEST

/* Statistics put or reset, a layer or model deleted: its sources are gone, and a new layer begins without any. */
START_TEST(what_forgets_the_statistics_forgets_the_sources)
{
	static double mean = 5, var = 6;
	static const struct statistics given = { 1, 3, 9, &mean, &var, 0 };
	static const struct store_write forgets[] = {
		{ .kind = STORE_STATISTICS_PUT, .statistics = &given },
		{ .kind = STORE_STATISTICS_RESET },
		{ .kind = STORE_LAYER_DELETE },
		{ .kind = STORE_MODEL_DELETE },
	};

	for (int loaded = 0; loaded < 2; loaded++) {
		put("a", 5, 1, 1, ERR_NONE);
		update(NULL, 5, 1, 1, ERR_NONE);
		if (loaded == 0)
			reopen();
		(void)scratch_write(s, forgets[_i]);
		if (_i >= 2)
			(void)scratch_write(s,
			    (struct store_write){
				.kind = STORE_LAYER_CREATE, .create = { .definition = "d", .features = 1 } });
		else
			drop("a", ERR_NO_SUCH_SOURCE);
		ck_assert_int_eq(ask("SELECT count(*) FROM source"), 0);
		put("a", 2, 5, 6, ERR_NONE);
		put("a", 2, 6, 7, ERR_NONE);
		drop("a", ERR_NONE);
		if (_i == 0)
			assert_layer(6 + 7 * (uint64_t)loaded, 3, 0, 9, 5, 6);
		(void)scratch_write(s, forgets[1]);
	}
}
END_TEST

static int
keep(void *arg, const struct snapshot *after, struct err *e)
{
	struct snapshot *seen = arg;

	(void)e;
	*seen = *after;
	seen->statistics.mean = NULL;
	ck_assert_double_eq(after->statistics.mean[0], 2);
	ck_assert_double_eq(after->statistics.var[0], 2);
	return 0;
}

START_TEST(the_pool_is_what_is_accepted)
{
	double mean = 3, var = 1;
	const struct update u = {
		.averaging = AVERAGING_POOLED, .count = 2, .features = 1, .mean = &mean, .var = &var
	};
	struct snapshot seen = { 0 };

	put("a", 2, 1, 1, ERR_NONE);
	expect((struct store_write){ .kind = STORE_UPDATE,
		   .updates = { .list = &u, .count = 1, .source = "b", .accept = keep, .accept_arg = &seen } },
	    ERR_NONE);
	ck_assert_uint_eq(seen.revision, 2);
	ck_assert_uint_eq(seen.sources, 2);
	ck_assert_uint_eq(seen.statistics.num_batches_tracked, 1);
	ck_assert_uint_eq(seen.statistics.count, 4);
	drop("b", ERR_NONE);
	/* Without a source, on the other hand. */
	expect((struct store_write){ .kind = STORE_UPDATE,
		   .updates = { .list = &u, .count = 1, .accept = keep, .accept_arg = &seen } },
	    ERR_NONE);
	ck_assert_uint_eq(seen.revision, 4);
	ck_assert_uint_eq(seen.sources, 1);
}
END_TEST

START_TEST(a_key_counts_an_update_of_a_source_once)
{
	double mean = 3, var = 1;
	const struct update u = {
		.averaging = AVERAGING_POOLED, .count = 2, .features = 1, .mean = &mean, .var = &var
	};

	for (int i = 0; i < 3; i++) {
		struct scratch_change c = scratch_run_change(s,
		    (struct scratch_change){ .op.change.key = "k",
			.write = { .kind = STORE_UPDATE, .updates = { .list = &u, .count = 1, .source = "b" } } });

		ck_assert_int_eq(c.op.err.code, ERR_NONE);
		ck_assert_int_eq(c.op.change.repeated, i > 0);
		assert_layer(1, 1, 1, 2, 3, 1);
		if (i == 1)
			reopen();
	}
}
END_TEST

/* Frozen: nothing moves, and it is all there when the layer is thawed. */
START_TEST(a_frozen_layer_refuses_all)
{
	put("a", 2, 1, 1, ERR_NONE);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_FREEZE, .frozen = true });
	put("a", 3, 1, 1, ERR_FROZEN);
	put("b", 3, 1, 1, ERR_FROZEN);
	update("a", 3, 1, 1, ERR_FROZEN);
	update(NULL, 3, 1, 1, ERR_FROZEN);
	drop("a", ERR_FROZEN);
	fold("a", NULL, ERR_FROZEN);
	assert_layer(2, 0, 1, 2, 1, 1);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_FREEZE });
	put("a", 3, 1, 1, ERR_NONE);
	assert_layer(4, 0, 1, 3, 1, 1);
}
END_TEST

/* Several writes in one change. */

#define GOING_BACK 7

/* A write to sources, or to a layer that has some, and then one that is refused. */
START_TEST(a_change_that_goes_back_takes_its_sources_back)
{
	static double one = 1, four = 4;
	static const struct moments totals = { 7, &four, &one };
	static const struct update u = {
		.averaging = AVERAGING_POOLED, .count = 2, .features = 1, .mean = &four, .var = &one
	};
	static const struct statistics given = { 1, 3, 9, &four, &one, 0 };
	static const char *const names[] = { "a" };
	static const struct store_write firsts[GOING_BACK] = {
		{ .kind = STORE_SOURCE_PUT, .source = { "a", &totals, 1, 0 } },
		{ .kind = STORE_SOURCE_DELETE, .source.name = "a" },
		{ .kind = STORE_SOURCES_FOLD, .fold = { names, 1, 0 } },
		{ .kind = STORE_UPDATE, .updates = { .list = &u, .count = 1, .source = "c" } },
		{ .kind = STORE_UPDATE, .updates = { .list = &u, .count = 1 } },
		{ .kind = STORE_STATISTICS_PUT, .statistics = &given },
		{ .kind = STORE_LAYER_DELETE },
	};
	const struct moments more = { 3, &one, &one };
	struct store_write writes[3] = { firsts[_i], firsts[(_i + 3) % 5],
		{ .kind = STORE_STATISTICS_RESET, .model = "m", .layer = "none" } };
	struct scratch_change before = { .write = { .kind = STORE_SOURCE_PUT, .source = { "b", &more, 1, 0 } } };
	struct store_op op = { .kind = STORE_CHANGE, .change = { .writes = writes, .count = 3 } };
	struct gate gate;
	struct store_op stop = gate_init(&gate);

	if (_i == GOING_BACK - 1) /* nothing can follow */
		writes[1] =
		    (struct store_write){ .kind = STORE_LAYER_CREATE, .create = { .definition = "d", .features = 1 } };
	for (int i = 0; i < 2; i++) {
		writes[i].model = "m";
		writes[i].layer = "l";
	}
	update(NULL, 2, 1, 1, ERR_NONE);
	put("a", 2, 1, 1, ERR_NONE);
	/* In one batch with a write before it that stands. */
	scratch_submit(s, &stop);
	sem_wait(&gate.reached);
	scratch_submit_change(s, &before);
	scratch_submit(s, &op);
	sem_post(&gate.open);
	scratch_wait(2);
	store_op_fini(&stop);
	gate_fini(&gate);
	ck_assert_int_eq(before.op.err.code, ERR_NONE);
	ck_assert_msg(strstr(op.err.detail, "layer \"none\" of model \"m\": ") == op.err.detail, "%s", op.err.detail);
	assert_layer(3, 1, 2, 7, 1, 1);
	put("a", 3, 1, 1, ERR_NONE);
	put("b", 2, 1, 1, ERR_SOURCE_WENT_BACK);
	reopen();
	assert_layer(4, 1, 2, 8, 1, 1);
	put("b", 4, 1, 1, ERR_NONE);
	assert_layer(5, 1, 2, 9, 1, 1);
}
END_TEST

/* Reading. */

static struct store_op
list(const char *name, const char *after, size_t limit, struct budget_share *memory)
{
	return scratch_run(s,
	    (struct store_op){ .kind = STORE_SOURCES_GET,
		.sources = { "m", "l", .name = name, .after = after, .limit = limit, .memory = memory } });
}

START_TEST(sources_are_read_in_pages)
{
	const int64_t before_s = (int64_t)time(NULL);
	struct store_op op = list(NULL, NULL, 10, NULL);

	ck_assert(op.err.code == ERR_NONE && op.sources.count == 0 && !op.sources.more);
	store_op_fini(&op);
	put_many(0, 7, plain_name);
	update(NULL, 1, 1, 1, ERR_NONE); /* the part without a source is not listed */
	update("s0003", 3, 2, 5, ERR_NONE);
	for (size_t limit = 1; limit < 9; limit++) {
		char after[STORE_NAME_MAX + 1] = "";
		unsigned i = 0;

		do {
			op = list(NULL, after, limit, NULL);
			ck_assert_int_eq(op.err.code, ERR_NONE);
			ck_assert_uint_eq(op.sources.snapshot->sources, 7);
			ck_assert_uint_eq(op.sources.count, limit < 7 - i ? limit : 7 - i);
			for (size_t k = 0; k < op.sources.count; k++, i++) {
				const struct store_source *source = &op.sources.entries[k];
				char name[32];

				ck_assert_str_eq(source->name, plain_name(i, name));
				ck_assert_uint_eq(source->totals.count, i == 3 ? 4 : 1);
				ck_assert_double_eq(source->totals.mean[0], i == 3 ? 1.75 : 1);
				ck_assert_int_ge(source->time_s, before_s);
				strcpy(after, source->name);
			}
			ck_assert_int_eq(op.sources.more, i < 7);
			store_op_fini(&op);
		} while (i < 7);
	}
	op = list("s0003", NULL, 0, NULL);
	ck_assert(op.err.code == ERR_NONE && op.sources.count == 1 && !op.sources.more);
	ck_assert_double_eq(op.sources.entries->totals.var[0], (5 * 3 + 1) / 4.0 + 3.0 / 16);
	store_op_fini(&op);
	op = list("", NULL, 0, NULL);
	ck_assert_int_eq(op.err.code, ERR_NO_SUCH_SOURCE);
	store_op_fini(&op);
	op = list("none", NULL, 0, NULL);
	ck_assert_int_eq(op.err.code, ERR_NO_SUCH_SOURCE);
	store_op_fini(&op);
}
END_TEST

#define WIDE ((size_t)1 << 16)

/* A store whose trees may take `bytes`. */
static struct store *
open_with(size_t bytes)
{
	const struct store_options options = { .url = scratch_url,
		.queue_max = 100,
		.cache_bytes_max = 2 * bytes,
		.sources_bytes_max = bytes,
		.definitions = opaque_definitions };
	struct err e = { 0 };
	struct store *opened = store_open(&options, &e);

	ck_assert_msg(opened != NULL, "%s", e.detail);
	return opened;
}

static void
put_wide(const char *layer, const char *name, double value, enum err_code code)
{
	double *list = malloc(WIDE * sizeof(*list));
	const struct moments totals = { 3, list, list };

	for (size_t i = 0; i < WIDE; i++)
		list[i] = value + (double)i;
	expect((struct store_write){ .kind = STORE_SOURCE_PUT, .layer = layer, .source = { name, &totals, WIDE, 0 } },
	    code);
	free(list);
}

START_TEST(long_lists_make_short_pages_and_are_counted)
{
	struct budget budget;
	struct budget_share share = { .budget = &budget };
	struct store_op op;

	store_close(s);
	s = open_with((size_t)100 << 20);
	scratch_create(s, "wide");
	for (int i = 0; i < 6; i++) {
		const char name[] = { (char)('a' + i), '\0' };

		put_wide("wide", name, i, ERR_NONE);
	}
	budget_init(&budget, (size_t)8 << 20);
	op = scratch_run(s,
	    (struct store_op){
		.kind = STORE_SOURCES_GET, .sources = { "m", "wide", .after = "b", .limit = 1000, .memory = &share } });
	ck_assert_msg(op.err.code == ERR_NONE, "%s", op.err.detail);
	ck_assert(op.sources.count == 2 && op.sources.more);
	ck_assert_str_eq(op.sources.entries[1].name, "d");
	ck_assert_double_eq(op.sources.entries[1].totals.var[WIDE - 1], 3 + (double)(WIDE - 1));
	ck_assert_uint_ge(share.bytes, 2 * 2 * WIDE * sizeof(double));
	store_op_fini(&op);
	budget_give_all(&share);
	budget_init(&budget, 2 * WIDE * sizeof(double));
	op = scratch_run(s,
	    (struct store_op){ .kind = STORE_SOURCES_GET, .sources = { "m", "wide", .name = "c", .memory = &share } });
	ck_assert_int_eq(op.err.code, ERR_BODY_TOO_LARGE);
	store_op_fini(&op);
	budget_give_all(&share);
}
END_TEST

/* Two trees have room for one: each write finds its layer's rows again. What has no room at all is refused. */
START_TEST(trees_that_leave_come_back)
{
	const size_t bytes = sizeof(struct source_tree) + sources_bytes(WIDE) + 3 * source_bytes(WIDE);
	const struct snapshot *a, *b;
	struct scratch_change c;

	store_close(s);
	s = open_with(bytes);
	scratch_create(s, "a");
	scratch_create(s, "b");
	for (int i = 0; i < 4; i++) {
		put_wide("a", i % 2 == 0 ? "x" : "y", i, ERR_NONE);
		put_wide("b", i % 2 == 0 ? "x" : "y", i, ERR_NONE);
	}
	put_wide("a", "z", 0, ERR_TOO_MANY_SOURCES);
	a = scratch_layer(s, "a");
	b = scratch_layer(s, "b");
	ck_assert_uint_eq(a->revision, 4);
	ck_assert_double_eq(a->statistics.mean[5], 2.5 + 5);
	ck_assert_mem_eq(a->statistics.mean, b->statistics.mean, WIDE * sizeof(double));
	ck_assert_mem_eq(a->statistics.var, b->statistics.var, WIDE * sizeof(double));
	snapshot_unref(a);
	snapshot_unref(b);
	/* With less memory the layer stands, but its sources cannot be moved. */
	store_close(s);
	s = open_with(bytes - 1);
	put_wide("a", "x", 9, ERR_TOO_MANY_SOURCES);
	c = scratch_run_change(
	    s, (struct scratch_change){ .write = { .kind = STORE_SOURCE_DELETE, .layer = "a", .source.name = "x" } });
	ck_assert_int_eq(c.op.err.code, ERR_TOO_MANY_SOURCES);
	/* The advice can be followed: sources cannot be folded either. */
	ck_assert_msg(strstr(c.op.err.detail, "--max-memory") != NULL && strstr(c.op.err.detail, "fold ") == NULL, "%s",
	    c.op.err.detail);
	expect((struct store_write){ .kind = STORE_STATISTICS_RESET, .layer = "a" }, ERR_NONE);
	put_wide("a", "x", 9, ERR_NONE);
}
END_TEST

/* Stands for the database: the trees' bytes while rows are loaded. */
static struct source_trees trees;
static size_t bytes_while_loading;

static int
look_at_bytes(struct backend *b, const struct layer_identity *layer, struct sources *into, struct err *e)
{
	(void)b, (void)layer, (void)into;
	bytes_while_loading = trees.bytes;
	return err_fail(e, ERR_STORAGE_UNAVAILABLE, "no rows");
}

/* The cache makes room for a tree before the tree takes it, and has it back if there is none. */
START_TEST(a_tree_is_counted_before_it_is_loaded)
{
	const struct backend_ops ops = { .load_sources = look_at_bytes };
	struct backend backend = { .ops = &ops };
	const struct layer_identity identity = { .id = 1, .model = "m", .name = "l" };
	const struct snapshot now = { .identity = &identity, .statistics.features = 1, .sources = 3 };
	struct cache *cache = cache_new(1 << 20);
	struct err e;

	source_trees_init(&trees, cache, 1 << 20);
	ck_assert_ptr_null(source_trees_get(&trees, &backend, &now, 1, &e));
	ck_assert_uint_ge(bytes_while_loading, 3 * source_bytes(1));
	ck_assert_uint_eq(trees.bytes, 0);
	source_trees_fini(&trees);
	cache_free(cache);
}
END_TEST

START_TEST(the_lists_of_a_fold_are_counted)
{
	struct store_write write = { .kind = STORE_SOURCES_FOLD, .fold.count = 1 };
	const struct snapshot now = { .statistics.features = 1, .sources = STORE_SOURCES_MAX };
	const size_t one = store_write_bytes(&now, &write);

	write.fold.count = STORE_SOURCES_MAX;
	ck_assert_uint_ge(store_write_bytes(&now, &write) - one,
	    (STORE_SOURCES_MAX - 1) * (sizeof(struct exchanged) + sizeof(struct update)));
}
END_TEST

/* A backup. */

START_TEST(a_backup_has_the_sources)
{
	struct store_op op = { .kind = STORE_BACKUP };
	size_t size;
	char *bytes;
	FILE *file;

	put("a", 2, 1, 1, ERR_NONE);
	update(NULL, 3, 4, 2, ERR_NONE);
	op = scratch_run(s, op);
	ck_assert_msg(op.err.code == ERR_NONE, "%s", op.err.detail);
	size = (size_t)op.copy->bytes;
	bytes = malloc(size);
	ck_assert_int_eq(pread(op.copy->descriptor, bytes, size, 0), (ssize_t)size);
	/* After the backup, in its place. */
	put("b", 2, 1, 1, ERR_NONE);
	store_op_fini(&op);
	store_close(s);
	file = fopen(scratch_path, "w");
	ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
	fclose(file);
	free(bytes);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
	s = scratch_open();
	drop("b", ERR_NO_SUCH_SOURCE);
	put("a", 1, 1, 1, ERR_SOURCE_WENT_BACK);
	drop("a", ERR_NONE);
	assert_layer(3, 1, 0, 3, 4, 2);
}
END_TEST

/* What `normd check` finds. */

/* Of the store, which is closed meanwhile and changed by `sql` before. */
static uint64_t
check(const char *sql)
{
	struct err e = { 0 };
	sqlite3 *db;

	store_close(s);
	s = NULL;
	db = sqlite_open(scratch_path, NULL, &e);
	ck_assert_msg(db != NULL && sqlite_run(db, sql, &e) == 0, "%s", e.detail);
	sqlite3_close(db);
	return scratch_check();
}

static const struct damage {
	const char *sql, *words;
} damages[] = {
	{ "DELETE FROM source WHERE name = 'a'", "it has 1 sources, and says 2" },
	{ "DELETE FROM source", "it has 0 sources, and says 2" },
	{ "UPDATE state SET sources = 0", "it has 2 sources, and says 0" },
	{ "DELETE FROM source WHERE name <> ''; UPDATE state SET sources = 0", "no sources, but a part without one" },
	{ "DELETE FROM source WHERE name = ''", "its statistics are not the pool of its sources" },
	{ "UPDATE source SET count = count + 1 WHERE name = 'a'", "not the pool" },
	{ "UPDATE state SET count = count + 1", "not the pool" },
	{ "UPDATE state SET running_var = running_mean", "not the pool" },
	{ "UPDATE state SET running_var = NULL, running_mean = NULL", "not the pool" },
	{ "UPDATE source SET count = -1 WHERE name = 'a'", "the totals of its source \"a\" are impossible" },
	{ "UPDATE source SET mean = zeroblob(16) WHERE name = 'b'", "the totals of its source \"b\" are impossible" },
	{ "UPDATE source SET mean = zeroblob(16), var = zeroblob(16)", "one value per feature" },
	{ "UPDATE source SET mean = x'000000000000f87f' WHERE name = 'b'", "\"b\" are impossible" },
	{ "UPDATE source SET var = x'000000000000f0bf' WHERE name = 'b'", "\"b\" are impossible" },
	{ "UPDATE source SET name = replace(hex(zeroblob(65)), '0', 'n') WHERE name = 'b'", "is too long" },
};

#define DAMAGES ((int)(sizeof(damages) / sizeof(damages[0])))

START_TEST(rows_that_cannot_be_are_found)
{
	put("a", 2, 1, 1, ERR_NONE);
	update(NULL, 3, 4, 2, ERR_NONE);
	put("b", 5, 3, 0.5, ERR_NONE);
	put("alone", 0, 0, 0, ERR_NONE);
	drop("alone", ERR_NONE);
	ck_assert_msg(check("SELECT 1") == 0, "%s", scratch_found);
	ck_assert_uint_gt(check(damages[_i].sql), 0);
	ck_assert_msg(strstr(scratch_found, damages[_i].words) != NULL, "%s", scratch_found);
}
END_TEST

/* Rows that are damaged make no pool: writes are refused, and the layer's statistics stay. */
START_TEST(a_tree_is_not_made_of_damaged_rows)
{
	static const char *const sql[] = { "DELETE FROM source WHERE name = 'a'",
		"UPDATE source SET var = zeroblob(7) WHERE name = 'a'",
		"UPDATE source SET count = -1 WHERE name = 'a'" };
	struct scratch_change c = { .write = { .kind = STORE_SOURCE_DELETE, .source.name = "b" } };

	put("a", 2, 1, 1, ERR_NONE);
	put("b", 2, 1, 1, ERR_NONE);
	(void)check(sql[_i]);
	s = scratch_open();
	c = scratch_run_change(s, c);
	ck_assert_int_eq(c.op.err.code, ERR_STORAGE_UNAVAILABLE);
	assert_layer(2, 0, 2, 4, 1, 1);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("source_writes");
	TCase *t = tcase_create("source_writes");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, totals_replace_and_go);
	tcase_add_test(t, the_last_source_leaves_the_layer_as_it_would_be_without_it);
	tcase_add_test(t, without_a_part_a_layer_is_as_never_trained);
	tcase_add_test(t, what_is_folded_stays_and_its_name_is_free);
	tcase_add_test(t, many_are_folded_as_one_at_a_time);
	tcase_add_test(t, a_fold_whose_rest_overflows_leaves_the_pool);
	tcase_add_test(t, a_fold_may_overflow_on_its_way);
	tcase_add_test(t, counts_end_at_2_63);
	tcase_add_test(t, a_pool_that_overflows_is_refused);
	tcase_add_test(t, statistics_without_weight_do_not_reach_the_pool);
	tcase_add_test(t, other_features_and_other_averagings_are_refused);
	tcase_add_test(t, the_4097th_source_is_refused);
	tcase_add_test(t, names_that_unbalance_the_tree_are_harmless);
	tcase_add_test(t, stored_pools_keep_their_bits);
	tcase_add_loop_test(t, what_forgets_the_statistics_forgets_the_sources, 0, 4);
	tcase_add_test(t, the_pool_is_what_is_accepted);
	tcase_add_test(t, a_key_counts_an_update_of_a_source_once);
	tcase_add_test(t, a_frozen_layer_refuses_all);
	tcase_add_loop_test(t, a_change_that_goes_back_takes_its_sources_back, 0, GOING_BACK);
	tcase_add_test(t, sources_are_read_in_pages);
	tcase_add_test(t, long_lists_make_short_pages_and_are_counted);
	tcase_add_test(t, trees_that_leave_come_back);
	tcase_add_test(t, a_tree_is_counted_before_it_is_loaded);
	tcase_add_test(t, the_lists_of_a_fold_are_counted);
	scratch_add_of_sqlite(t, a_backup_has_the_sources);
	if (!scratch_is_postgresql())
		tcase_add_loop_test(t, rows_that_cannot_be_are_found, 0, DAMAGES);
	if (!scratch_is_postgresql())
		tcase_add_loop_test(t, a_tree_is_not_made_of_damaged_rows, 0, 3);
	suite_add_tcase(suite, t);
	return suite;
}
