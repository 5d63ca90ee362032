/* SPDX-License-Identifier: MIT */
/*
 * Changes of several writes: whatever they are, and whatever shares their batch, a change is applied whole or leaves no
 * trace. By chance against a simple model (tests/disk/world.h), and each refusal at each place by hand.
 */
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <math.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "tests/disk/rig.h"
#include "tests/disk/vfs.h"
#include "tests/unit/scratch_store.h"

#define BATCHES 400

/* What has happened by chance, so that the test is known to have tested it. */
struct seen {
	unsigned refused[STORE_WRITE_COUNT]; /* changes of several writes, by the kind of the first */
	unsigned by_code[ERR_COUNT];
	unsigned done[STORE_WRITE_COUNT]; /* changes, by the kind of the first write */
	unsigned repeated;
};

static bool
has_key(const struct world_step *step)
{
	return !world_deletes(step) && !world_is_of_model(step);
}

/* With how many layers the key of the change that begins with step i is remembered: all that it left, once each. */
static int
expected_keys(const struct world_batch *batch, unsigned first, const struct world_answer *answers, const bool *exists)
{
	const unsigned end = first + world_change_count(batch, first);
	int count = 0;

	if (batch->steps[first].number % 2 == 0 || answers[first].code != ERR_NONE)
		return 0;
	for (unsigned i = first; i < end; i++) {
		bool counts = has_key(&batch->steps[i]) && exists[i];

		for (unsigned k = first; k < i; k++)
			counts =
			    counts && (!has_key(&batch->steps[k]) || batch->steps[k].layer != batch->steps[i].layer);
		count += counts;
	}
	return count;
}

static void
check_keys(struct rig *rig, const struct world *before, const struct world_batch *batch, struct seen *seen)
{
	struct world_answer answers[WORLD_STEPS_MAX];
	bool exists[WORLD_STEPS_MAX];
	struct world w = *before;

	for (unsigned i = 0; i < batch->count; i += world_change_count(batch, i)) {
		world_apply_change(&w, batch, i, answers);
		for (unsigned k = i; k < i + world_change_count(batch, i); k++)
			exists[k] = w.layers[batch->steps[k].layer].exists;
		ck_assert_int_eq(rig_keys(rig, batch->steps[i].number), expected_keys(batch, i, answers, exists));
		seen->by_code[answers[i].code]++;
		seen->done[batch->steps[i].kind] += answers[i].code == ERR_NONE;
		if (answers[i].code != ERR_NONE && world_change_count(batch, i) > 1)
			seen->refused[batch->steps[i].kind]++;
	}
}

/*
 * Case by case the cache holds nothing, or SQLite has so little memory that it would write before it commits, and the
 * process ends without closing the store: what it has in the log is read by the next one.
 */
static void
must_open(struct rig *rig, int which)
{
	struct err e = { 0 };

	ck_assert_int_eq(rig_open(rig, which % 2 == 0 ? 1 << 20 : 1, &e), 0);
	if (which / 2 % 2 != 0)
		sqlite3_exec(rig->db, "PRAGMA cache_size=8", NULL, NULL, NULL);
}

static void
end_process(struct rig *rig, struct disk *disk, int which)
{
	const bool killed = which / 2 % 2 != 0;

	if (killed)
		disk_kill(disk);
	rig_close(rig);
	if (killed)
		disk_kill(disk);
}

START_TEST(changes_by_chance_are_whole_or_leave_no_trace)
{
	struct disk *disk = disk_new((uint64_t)_i);
	uint64_t random = 77 + (uint64_t)_i;
	static struct world now, next, before;
	static struct rig rig;
	struct seen seen = { 0 };
	struct world_batch batch;

	vfs_register(disk);
	now = (struct world){ 0 };
	must_open(&rig, _i);
	for (int i = 0; i < BATCHES; i++) {
		world_make_batch(&batch, &now, &random);
		ck_assert_msg(rig_run(&rig, &now, &batch, &next) == RIG_STORED, "batch %d", i);
		ck_assert_msg(rig_matches(&rig, &next), "batch %d: the store holds something else", i);
		check_keys(&rig, &now, &batch, &seen);
		before = now;
		if (world_batch_can_be_repeated(&batch)) {
			ck_assert_msg(rig_repeat(&rig, &before, &batch, true), "batch %d: taken twice", i);
			seen.repeated++;
		}
		now = next;
		if (i % 10 == 9) {
			end_process(&rig, disk, _i);
			world_lose_pins(&now);
			must_open(&rig, _i);
			ck_assert_msg(rig_matches(&rig, &now), "batch %d: another state after reopening", i);
		}
	}
	ck_assert(rig_is_sound(&rig));
	rig_close(&rig);
	vfs_unregister();
	disk_free(disk);
	ck_assert_uint_gt(seen.repeated, 0);
	ck_assert(seen.by_code[ERR_NO_SUCH_LAYER] > 0 && seen.by_code[ERR_SHAPE_MISMATCH] > 0 &&
	    seen.by_code[ERR_NON_FINITE_INPUT] > 0 && seen.by_code[ERR_REVISION_MISMATCH] > 0 &&
	    seen.by_code[ERR_FROZEN] > 0);
	ck_assert(seen.by_code[ERR_SOURCE_WENT_BACK] > 0 && seen.by_code[ERR_NO_SUCH_SOURCE] > 0);
	ck_assert(seen.done[STORE_PIN] > 0 && seen.done[STORE_VERSION_MAKE] > 0 && seen.done[STORE_VERSION_DELETE] > 0);
	ck_assert(seen.refused[STORE_UPDATE] > 0 && seen.refused[STORE_LAYER_CREATE] > 0 &&
	    seen.refused[STORE_FREEZE] > 0 && seen.refused[STORE_MODEL_FREEZE] > 0);
}
END_TEST

/* By hand. */

#define FEATURES 2

static double two[FEATURES] = { 3, 4 }, ones[FEATURES] = { 1, 1 }, infinite[FEATURES] = { 1, INFINITY };
static const struct statistics put = { FEATURES, 5, 0, two, ones, 0 }, narrow = { 1, 5, 0, two, ones, 0 };
static const struct update update = {
	.averaging = AVERAGING_EXPONENTIAL, .momentum = 0.5, .count = 4, .features = FEATURES, .mean = two, .var = ones
};
static const struct update non_finite = { .averaging = AVERAGING_EXPONENTIAL,
	.momentum = 0.5,
	.count = 4,
	.features = FEATURES,
	.mean = infinite,
	.var = ones };
static const struct update misshapen = {
	.averaging = AVERAGING_EXPONENTIAL, .momentum = 0.5, .count = 4, .features = 1, .mean = two, .var = ones
};

static const struct update pooled = {
	.averaging = AVERAGING_POOLED, .count = 4, .features = FEATURES, .mean = two, .var = ones
};
static const struct moments totals = { 4, two, ones }, more = { 5, two, ones }, less = { 3, two, ones },
			    strange = { 5, infinite, ones };
static const char *const folded[] = { "folded" }, *const unknown[] = { "folded", "none" };

/*
 * A write of every kind, to layers that there are ("old" is trained, "open" has nothing, "iced" is frozen, "sourced"
 * has sources) and one that is new.
 */
#define WRITES 15
static const struct store_write fine[WRITES] = {
	{ .kind = STORE_UPDATE, .model = "m", .layer = "open", .updates = { .list = &update, .count = 1 } },
	{ .kind = STORE_UPDATE, .model = "m", .layer = "old", .updates = { .list = &update, .count = 1 } },
	{ .kind = STORE_LAYER_CREATE, .model = "n", .layer = "new", .create = { .definition = "d", .features = 0 } },
	{ .kind = STORE_STATISTICS_PUT, .model = "n", .layer = "new", .statistics = &put },
	{ .kind = STORE_PARAMETERS_PUT, .model = "m", .layer = "old", .parameters = { .weight = { two, FEATURES } } },
	{ .kind = STORE_STATISTICS_RESET, .model = "m", .layer = "old" },
	{ .kind = STORE_LAYER_DELETE, .model = "m", .layer = "gone" },
	{ .kind = STORE_MODEL_DELETE, .model = "other" },
	{ .kind = STORE_FREEZE, .model = "m", .layer = "open", .frozen = true },
	{ .kind = STORE_MODEL_FREEZE, .model = "still", .frozen = true },
	{ .kind = STORE_SOURCE_PUT, .model = "m", .layer = "sourced", .source = { "w", &more, FEATURES, 0 } },
	{ .kind = STORE_SOURCE_DELETE, .model = "m", .layer = "sourced", .source.name = "gone" },
	{ .kind = STORE_SOURCES_FOLD, .model = "m", .layer = "sourced", .fold = { folded, 1, 0 } },
	{ .kind = STORE_UPDATE,
	    .model = "m",
	    .layer = "sourced",
	    .updates = { .list = &pooled, .count = 1, .source = "trained" } },
	{ .kind = STORE_UPDATE, .model = "m", .layer = "sourced", .updates = { .list = &pooled, .count = 1 } },
};

struct bad_write {
	struct store_write write;
	enum err_code code;
};

#define BAD_WRITES 21
static const struct bad_write bad[BAD_WRITES] = {
	{ { .kind = STORE_UPDATE, .model = "m", .layer = "none", .updates = { .list = &update, .count = 1 } },
	    ERR_NO_SUCH_LAYER },
	{ { .kind = STORE_LAYER_DELETE, .model = "none", .layer = "old" }, ERR_NO_SUCH_MODEL },
	{ { .kind = STORE_MODEL_DELETE, .model = "none" }, ERR_NO_SUCH_MODEL },
	{ { .kind = STORE_UPDATE, .model = "m", .layer = "old", .updates = { .list = &misshapen, .count = 1 } },
	    ERR_SHAPE_MISMATCH },
	{ { .kind = STORE_UPDATE, .model = "m", .layer = "old", .updates = { .list = &non_finite, .count = 1 } },
	    ERR_NON_FINITE_INPUT },
	{ { .kind = STORE_STATISTICS_RESET, .model = "m", .layer = "old", .layer_id = INT64_MAX }, ERR_NO_SUCH_LAYER },
	{ { .kind = STORE_LAYER_DELETE,
	      .model = "m",
	      .layer = "old",
	      .precondition = { .present = true, .count = 1, .revisions = { 99 } } },
	    ERR_REVISION_MISMATCH },
	{ { .kind = STORE_STATISTICS_PUT, .model = "m", .layer = "old", .statistics = &narrow }, ERR_SHAPE_MISMATCH },
	{ { .kind = STORE_PARAMETERS_PUT,
	      .model = "m",
	      .layer = "old",
	      .parameters = { .weight = { two, 1 }, .features = 1 } },
	    ERR_SHAPE_MISMATCH },
	{ { .kind = STORE_UPDATE, .model = "ice", .layer = "iced", .updates = { .list = &update, .count = 1 } },
	    ERR_FROZEN },
	{ { .kind = STORE_STATISTICS_PUT, .model = "ice", .layer = "iced", .statistics = &put }, ERR_FROZEN },
	{ { .kind = STORE_STATISTICS_RESET, .model = "ice", .layer = "iced" }, ERR_FROZEN },
	{ { .kind = STORE_FREEZE,
	      .model = "m",
	      .layer = "old",
	      .frozen = true,
	      .precondition = { .present = true, .count = 1, .revisions = { 99 } } },
	    ERR_REVISION_MISMATCH },
	{ { .kind = STORE_MODEL_FREEZE, .model = "none", .frozen = true }, ERR_NO_SUCH_MODEL },
	{ { .kind = STORE_SOURCE_PUT, .model = "m", .layer = "sourced", .source = { "w", &less, FEATURES, 0 } },
	    ERR_SOURCE_WENT_BACK },
	{ { .kind = STORE_SOURCE_PUT, .model = "m", .layer = "sourced", .source = { "w", &more, 1, 0 } },
	    ERR_SHAPE_MISMATCH },
	{ { .kind = STORE_SOURCE_PUT, .model = "m", .layer = "sourced", .source = { "x", &strange, FEATURES, 0 } },
	    ERR_NON_FINITE_INPUT },
	{ { .kind = STORE_SOURCE_DELETE, .model = "m", .layer = "sourced", .source.name = "none" },
	    ERR_NO_SUCH_SOURCE },
	{ { .kind = STORE_SOURCES_FOLD, .model = "m", .layer = "sourced", .fold = { unknown, 2, 0 } },
	    ERR_NO_SUCH_SOURCE },
	{ { .kind = STORE_UPDATE,
	      .model = "m",
	      .layer = "sourced",
	      .updates = { .list = &update, .count = 1, .source = "w" } },
	    ERR_BAD_PARAMETER },
	{ { .kind = STORE_SOURCE_PUT, .model = "ice", .layer = "iced", .source = { "w", &more, FEATURES, 0 } },
	    ERR_FROZEN },
};

static void
create(struct store *s, const char *model, const char *layer)
{
	(void)scratch_write(s,
	    (struct store_write){
		.kind = STORE_LAYER_CREATE, .model = model, .layer = layer, .create.definition = "d" });
}

static void
make_layers(struct store *s)
{
	create(s, "m", "old");
	create(s, "m", "open");
	create(s, "m", "gone");
	create(s, "other", "l");
	create(s, "still", "a");
	create(s, "still", "b");
	create(s, "ice", "iced");
	create(s, "m", "sourced");
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "w", "gone", "folded" };

		(void)scratch_write(s,
		    (struct store_write){
			.kind = STORE_SOURCE_PUT, .layer = "sourced", .source = { names[i], &totals, FEATURES, 0 } });
	}
	(void)scratch_write(s, (struct store_write){ .kind = STORE_MODEL_FREEZE, .model = "ice", .frozen = true });
	(void)scratch_write(s,
	    (struct store_write){ .kind = STORE_UPDATE, .layer = "old", .updates = { .list = &update, .count = 1 } });
}

static struct store_op
run(struct store *s, struct store_write *writes, size_t count, const char *key)
{
	return scratch_run(
	    s, (struct store_op){ .kind = STORE_CHANGE, .change = { .writes = writes, .count = count, .key = key } });
}

/* Revision -1: there is no such layer. */
static void
assert_layer(struct store *s, const char *model, const char *layer, int64_t revision, uint64_t tracked, size_t features)
{
	struct store_op op =
	    scratch_run(s, (struct store_op){ .kind = STORE_LAYER_GET, .get = { .model = model, .layer = layer } });
	const struct snapshot *found = op.get.snapshot;

	ck_assert_int_eq(found == NULL, revision < 0);
	if (found != NULL) {
		ck_assert_int_eq((int64_t)found->revision, revision);
		ck_assert_uint_eq(found->statistics.num_batches_tracked, tracked);
		ck_assert_uint_eq(found->statistics.features, features);
	}
	store_op_fini(&op);
}

static void
assert_frozen(struct store *s, const char *model, const char *layer, bool frozen)
{
	struct store_op op =
	    scratch_run(s, (struct store_op){ .kind = STORE_LAYER_GET, .get = { .model = model, .layer = layer } });

	ck_assert_ptr_nonnull(op.get.snapshot);
	ck_assert_int_eq(op.get.snapshot->frozen, frozen);
	store_op_fini(&op);
}

/* The layer with sources. */
static void
assert_sources(struct store *s, uint64_t revision, uint64_t tracked, size_t sources, uint64_t count)
{
	const struct snapshot *found = scratch_layer(s, "sourced");

	ck_assert_uint_eq(found->revision, revision);
	ck_assert_uint_eq(found->statistics.num_batches_tracked, tracked);
	ck_assert_uint_eq(found->sources, sources);
	ck_assert_uint_eq(found->statistics.count, count);
	ck_assert_double_eq(found->statistics.mean[0], two[0]);
	ck_assert_double_eq(found->statistics.var[1], ones[1]);
	snapshot_unref(found);
}

static void
assert_cached(struct store *s, const char *model, const char *layer)
{
	const struct snapshot *found = store_layer_cached(s, &(struct store_get){ .model = model, .layer = layer });

	ck_assert_ptr_nonnull(found);
	snapshot_unref(found);
}

static void
assert_as_made(struct store *s)
{
	assert_layer(s, "m", "old", 1, 1, FEATURES);
	assert_layer(s, "m", "open", 0, 0, 0);
	assert_layer(s, "m", "gone", 0, 0, 0);
	assert_layer(s, "other", "l", 0, 0, 0);
	assert_layer(s, "n", "new", -1, 0, 0);
	assert_sources(s, 3, 0, 3, 12);
	assert_layer(s, "still", "a", 0, 0, 0);
	assert_frozen(s, "still", "b", false);
	assert_frozen(s, "m", "open", false);
	assert_layer(s, "ice", "iced", 1, 0, 0);
	assert_frozen(s, "ice", "iced", true);
}

START_TEST(a_change_of_writes_of_every_kind)
{
	struct store *s = scratch_open();
	struct store_write writes[WRITES];
	struct store_op op;

	make_layers(s);
	memcpy(writes, fine, sizeof(writes));
	op = run(s, writes, WRITES, NULL);
	ck_assert_msg(op.err.code == ERR_NONE, "%s", op.err.detail);
	ck_assert(writes[2].result.created && writes[2].result.snapshot != NULL);
	/* Results are the layers' as the change leaves them. However many of its writes meet a layer: one change. */
	ck_assert_uint_eq(writes[1].result.revision, 2);
	ck_assert_uint_eq(writes[1].result.num_batches_tracked, 0);
	ck_assert_uint_eq(writes[2].result.num_batches_tracked, 5);
	ck_assert_uint_eq(writes[8].result.revision, 1);
	ck_assert_uint_eq(writes[9].result.layers, 2);
	store_op_fini(&op);
	for (int reopened = 0; reopened < 2; reopened++) {
		assert_layer(s, "m", "old", 2, 0, FEATURES);
		assert_layer(s, "m", "open", 1, 1, FEATURES);
		assert_frozen(s, "m", "open", true);
		assert_layer(s, "m", "gone", -1, 0, 0);
		assert_layer(s, "other", "l", -1, 0, 0);
		assert_sources(s, 4, 2, 2, 17);
		assert_layer(s, "n", "new", 1, 5, FEATURES);
		assert_layer(s, "still", "a", 1, 0, 0);
		assert_frozen(s, "still", "a", true);
		assert_frozen(s, "still", "b", true);
		store_close(s);
		s = scratch_open();
	}
	store_close(s);
}
END_TEST

/* Each bad write before, between and after all the good ones. */
START_TEST(one_refused_write_refuses_its_change_wherever_it_is)
{
	struct store *s = scratch_open();
	struct store_write writes[WRITES + 1];
	struct store_op op;
	char named[64];

	make_layers(s);
	if (bad[_i].write.layer != NULL)
		snprintf(
		    named, sizeof(named), "layer \"%s\" of model \"%s\": ", bad[_i].write.layer, bad[_i].write.model);
	else
		snprintf(named, sizeof(named), "model \"%s\": ", bad[_i].write.model);
	for (size_t at = 0; at <= WRITES; at++) {
		memcpy(writes, fine, at * sizeof(fine[0]));
		writes[at] = bad[_i].write;
		memcpy(writes + at + 1, fine + at, (WRITES - at) * sizeof(fine[0]));
		op = run(s, writes, WRITES + 1, "k");
		ck_assert_int_eq(op.err.code, bad[_i].code);
		ck_assert_msg(strncmp(op.err.detail, named, strlen(named)) == 0, "%s", op.err.detail);
		for (size_t i = 0; i <= WRITES; i++)
			ck_assert(writes[i].result.snapshot == NULL && writes[i].result.revision == 0);
		assert_cached(s, "other", "l");
		assert_cached(s, "still", "a");
		assert_as_made(s);
	}
	store_close(s);
	s = scratch_open();
	assert_as_made(s);
	/* The key is free. */
	memcpy(writes, fine, sizeof(fine));
	op = run(s, writes, WRITES, "k");
	ck_assert(op.err.code == ERR_NONE && !op.change.repeated);
	store_op_fini(&op);
	store_close(s);
}
END_TEST

START_TEST(a_key_holds_for_all_layers_of_its_change)
{
	struct store *s = scratch_open();
	struct store_write writes[3], alone = fine[1];
	struct store_op op;

	make_layers(s);
	for (int i = 0; i < 3; i++) {
		memcpy(writes, fine, sizeof(writes));
		op = run(s, writes, 3, "k");
		ck_assert_int_eq(op.err.code, ERR_NONE);
		ck_assert_int_eq(op.change.repeated, i > 0);
		ck_assert_uint_eq(writes[0].result.num_batches_tracked, 1);
		ck_assert_uint_eq(writes[1].result.num_batches_tracked, 2);
		ck_assert_uint_eq(writes[1].result.revision, 2);
		store_op_fini(&op);
	}
	assert_layer(s, "m", "old", 2, 2, FEATURES);
	/* On a layer that it was not used on before, together with one that it was. */
	memcpy(writes, fine, sizeof(writes));
	writes[2] = (struct store_write){
		.kind = STORE_UPDATE, .model = "m", .layer = "gone", .updates = { .list = &update, .count = 1 }
	};
	op = run(s, writes, 3, "k");
	ck_assert_int_eq(op.err.code, ERR_IDEMPOTENCY_MISMATCH);
	ck_assert_msg(strstr(op.err.detail, "\"gone\"") != NULL, "%s", op.err.detail);
	assert_layer(s, "m", "gone", 0, 0, 0);
	/* Alone, with another digest. */
	op = (struct store_op){ .kind = STORE_CHANGE, .change = { .writes = &alone, .count = 1, .key = "k" } };
	op.change.key_digest[0] = 1;
	op = scratch_run(s, op);
	ck_assert_int_eq(op.err.code, ERR_IDEMPOTENCY_MISMATCH);
	assert_layer(s, "m", "old", 2, 2, FEATURES);
	store_close(s);
}
END_TEST

/* What an `accept` was called with. */
struct asked {
	unsigned calls;
	uint64_t revision, num_batches_tracked;
	double mean;
	bool refuses;
	sem_t *waits; /* NULL: it does not */
};

static int
accept(void *arg, const struct snapshot *after, struct err *e)
{
	struct asked *a = arg;

	while (a->waits != NULL && sem_wait(a->waits) < 0)
		;
	a->calls++;
	a->revision = after->revision;
	a->num_batches_tracked = after->statistics.num_batches_tracked;
	a->mean = after->statistics.mean[0];
	return a->refuses ? err_fail(e, ERR_NON_FINITE_INPUT, "not wanted") : 0;
}

static const struct update twice[] = {
	{ .averaging = AVERAGING_EXPONENTIAL, .momentum = 0.5, .count = 4, .features = 2, .mean = two, .var = ones },
	{ .averaging = AVERAGING_EXPONENTIAL, .momentum = 0.5, .count = 4, .features = 2, .mean = two, .var = ones },
};

/* Updates of "l" that the submitter is asked about. */
static struct scratch_change
asking(struct asked *a, size_t count)
{
	return (struct scratch_change){ .write = { .kind = STORE_UPDATE,
					    .updates = {
						.list = twice, .count = count, .accept = accept, .accept_arg = a } } };
}

static void
assert_mean(struct store *s, uint64_t revision, uint64_t tracked, double mean)
{
	const struct snapshot *l = scratch_layer(s, "l");

	ck_assert_uint_eq(l->revision, revision);
	ck_assert_uint_eq(l->statistics.num_batches_tracked, tracked);
	ck_assert(l->statistics.mean == NULL ? tracked == 0 : l->statistics.mean[0] == mean);
	snapshot_unref(l);
}

/* _i: how many updates a change has, the last of which is asked about. */
START_TEST(a_submitter_is_asked_about_the_state_of_its_updates)
{
	struct store *s = scratch_open();
	struct asked no = { .refuses = true }, yes = { 0 };
	const double first = _i == 1 ? 1.5 : 2.25, second = _i == 1 ? 2.25 : 45.0 / 16;
	struct scratch_change c;

	scratch_create(s, "l");
	c = scratch_run_change(s, asking(&no, (size_t)_i));
	ck_assert_int_eq(c.op.err.code, ERR_NON_FINITE_INPUT);
	ck_assert_str_eq(c.op.err.detail, "not wanted");
	assert_mean(s, 0, 0, 0);
	c = scratch_run_change(s, asking(&yes, (size_t)_i));
	ck_assert_int_eq(c.op.err.code, ERR_NONE);
	ck_assert(yes.calls == 1 && yes.revision == 1 && yes.num_batches_tracked == (uint64_t)_i && yes.mean == first);
	assert_mean(s, 1, (uint64_t)_i, first);
	c = scratch_run_change(s, asking(&no, (size_t)_i));
	ck_assert_int_eq(c.op.err.code, ERR_NON_FINITE_INPUT);
	ck_assert(no.calls == 2 && no.revision == 2 && no.mean == second);
	assert_mean(s, 1, (uint64_t)_i, first);
	store_close(s);
	s = scratch_open();
	assert_mean(s, 1, (uint64_t)_i, first);
	store_close(s);
}
END_TEST

#define SHARED 9

/* The first holds up the store until all others wait, so that they share a batch; every third is refused. */
START_TEST(changes_of_one_batch_are_asked_about_one_after_another)
{
	struct store *s = scratch_open();
	static struct scratch_change c[SHARED];
	struct asked a[SHARED] = { { 0 } };
	uint64_t revision = 0;
	double mean = 0;
	sem_t all;

	ck_assert_int_eq(sem_init(&all, 0, 0), 0);
	scratch_create(s, "l");
	a[0].waits = &all;
	for (size_t i = 0; i < SHARED; i++) {
		a[i].refuses = i % 3 == 2;
		c[i] = asking(&a[i], (size_t)_i);
		scratch_submit_change(s, &c[i]);
	}
	ck_assert_int_eq(sem_post(&all), 0);
	scratch_wait(SHARED);
	for (size_t i = 0; i < SHARED; i++) {
		double next = mean;

		for (int k = 0; k < _i; k++)
			next += (two[0] - next) / 2;
		ck_assert(a[i].calls == 1 && a[i].revision == revision + 1 && a[i].mean == next);
		ck_assert_int_eq(c[i].op.err.code, a[i].refuses ? ERR_NON_FINITE_INPUT : ERR_NONE);
		ck_assert_uint_eq(c[i].write.result.revision, a[i].refuses ? 0 : revision + 1);
		if (a[i].refuses)
			continue;
		revision++;
		mean = next;
	}
	assert_mean(s, revision, revision * (uint64_t)_i, mean);
	store_close(s);
	sem_destroy(&all);
}
END_TEST

START_TEST(a_repeat_is_asked_about_the_present_state)
{
	struct store *s = scratch_open();
	struct asked a = { 0 };
	struct scratch_change c, keyed = asking(&a, 1);

	scratch_create(s, "l");
	keyed.op.change.key = "k";
	c = scratch_run_change(s, keyed);
	ck_assert(c.op.err.code == ERR_NONE && !c.op.change.repeated && a.calls == 1);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_UPDATE, .updates = { .list = twice, .count = 2 } });
	c = scratch_run_change(s, keyed);
	ck_assert(c.op.err.code == ERR_NONE && c.op.change.repeated && a.calls == 2);
	ck_assert(a.revision == 2 && a.num_batches_tracked == 3 && a.mean == 2.625);
	ck_assert(c.write.result.revision == 2 && c.write.result.num_batches_tracked == 3);
	a.refuses = true;
	c = scratch_run_change(s, keyed);
	ck_assert_int_eq(c.op.err.code, ERR_NON_FINITE_INPUT);
	assert_mean(s, 2, 3, 2.625);
	store_close(s);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("change");
	TCase *t = tcase_create("change");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_add_loop_test(t, changes_by_chance_are_whole_or_leave_no_trace, 0, scratch_rounds(8));
	tcase_add_test(t, a_change_of_writes_of_every_kind);
	tcase_add_loop_test(t, one_refused_write_refuses_its_change_wherever_it_is, 0, BAD_WRITES);
	tcase_add_test(t, a_key_holds_for_all_layers_of_its_change);
	tcase_add_loop_test(t, a_submitter_is_asked_about_the_state_of_its_updates, 1, 3);
	tcase_add_loop_test(t, changes_of_one_batch_are_asked_about_one_after_another, 1, 3);
	tcase_add_test(t, a_repeat_is_asked_about_the_present_state);
	suite_add_tcase(s, t);
	return s;
}
