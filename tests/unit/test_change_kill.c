/* SPDX-License-Identifier: MIT */
/*
 * A process that submits changes of several layers is killed again and again: what is found afterwards is the state
 * after some number of its changes, at least all that were acknowledged, each whole; and a key is known if and only if
 * its change is there.
 */
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "storage/sources.h"
#include "tests/unit/scratch_store.h"

#define KILLS 25
#define LAYERS 6
#define SOURCES 5
#define WRITES_MAX (LAYERS + 6)
#define IN_FLIGHT 64

/*
 * Change number i: an update of layer 0 and of some others, whose mean becomes i + 1. In some a layer "new" is made, or
 * deleted again, in a model of its own; the last write of some is refused. Each freezes the layers of model "f", or
 * thaws them. Each replaces the totals of a source of layer "s"; some add another source, and fold it.
 */
struct numbered {
	struct store_op op;
	struct store_write writes[WRITES_MAX];
	struct update update;
	double mean, var;
	struct moments totals;
	char key[24];
	uint64_t number;
};

static const char *const names[LAYERS] = { "a", "b", "c", "d", "e", "f" };

/* How far the process that is killed has come. Shared with it. */
static struct {
	atomic_ullong acknowledged;
} * progress;

static bool
touches(uint64_t number, unsigned layer)
{
	return layer == 0 || (number * 0x9e3779b97f4a7c15u >> (20 + layer)) % 2 == 0;
}

static const char *const source_names[SOURCES] = { "w", "worker", "a", "z", "m" }, *const folded = "folded";

static bool
folds(uint64_t number)
{
	return number % 6 == 5;
}

static bool
is_refused(uint64_t number)
{
	return number % 7 == 3;
}

/* "new" is there after the changes whose number is 1 to 3 beyond a multiple of 4. */
static bool
new_exists(uint64_t number)
{
	return number % 4 != 0;
}

/* Whether the layers of model "f" are frozen after a change. */
static bool
freezes(uint64_t number)
{
	return number % 3 == 1;
}

static void
add_write(struct numbered *c, struct store_write write)
{
	c->writes[c->op.change.count++] = write;
}

static void
make_change(struct numbered *c, uint64_t number)
{
	*c = (struct numbered){ .number = number, .mean = (double)number + 1, .var = 1 };
	c->update = (struct update){ .averaging = AVERAGING_EXPONENTIAL,
		.momentum = 1,
		.count = 2,
		.features = 1,
		.mean = &c->mean,
		.var = &c->var };
	c->op.kind = STORE_CHANGE;
	c->op.change.writes = c->writes;
	snprintf(c->key, sizeof(c->key), "%llu", (unsigned long long)number);
	c->op.change.key = number % 3 == 0 ? c->key : NULL;
	for (unsigned i = 0; i < LAYERS; i++)
		if (touches(number, i))
			add_write(c,
			    (struct store_write){ .kind = STORE_UPDATE,
				.model = "m",
				.layer = names[i],
				.updates = { .list = &c->update, .count = 1 } });
	add_write(c, (struct store_write){ .kind = STORE_MODEL_FREEZE, .model = "f", .frozen = freezes(number) });
	c->totals = (struct moments){ number + 1, &c->mean, &c->var };
	add_write(c,
	    (struct store_write){ .kind = STORE_SOURCE_PUT,
		.model = "m",
		.layer = "s",
		.source = { source_names[number % SOURCES], &c->totals, 1, 0 } });
	if (folds(number)) {
		add_write(c,
		    (struct store_write){
			.kind = STORE_SOURCE_PUT, .model = "m", .layer = "s", .source = { folded, &c->totals, 1, 0 } });
		add_write(c,
		    (struct store_write){
			.kind = STORE_SOURCES_FOLD, .model = "m", .layer = "s", .fold = { &folded, 1, 0 } });
	}
	if (is_refused(number))
		add_write(c, (struct store_write){ .kind = STORE_STATISTICS_RESET, .model = "m", .layer = "none" });
	else if (new_exists(number + 1))
		add_write(c,
		    (struct store_write){ .kind = STORE_LAYER_CREATE,
			.model = "n",
			.layer = "new",
			.create = { .definition = "d", .features = 1 } });
	else
		add_write(c, (struct store_write){ .kind = STORE_MODEL_DELETE, .model = "n" });
}

/* The process that is killed. */

static void
acknowledge(struct store_op *op)
{
	struct numbered *c = op->done_arg;

	store_op_fini(op);
	atomic_store(&progress->acknowledged, c->number + 1);
}

static void
submit_for_ever(uint64_t number)
{
	struct store *s = scratch_open();
	static struct numbered changes[IN_FLIGHT];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;; number++) {
		struct numbered *c = &changes[number % IN_FLIGHT];

		while (number >= atomic_load(&progress->acknowledged) + IN_FLIGHT)
			usleep(10);
		make_change(c, number);
		c->op.done = acknowledge;
		c->op.done_arg = c;
		scratch_submit(s, &c->op);
	}
}

static void
run_and_kill(uint64_t number, unsigned round)
{
	const struct timespec pause = { .tv_nsec = (long)(1 + round * 7 % 30) * 1000000 };
	pid_t pid;

	atomic_store(&progress->acknowledged, number);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		submit_for_ever(number);
		_exit(1);
	}
	while (atomic_load(&progress->acknowledged) == number && waitpid(pid, NULL, WNOHANG) == 0)
		usleep(100);
	nanosleep(&pause, NULL);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* The one that looks afterwards. */

/* The number of the first change that is not there: the last one has left its number in layer 0. */
static uint64_t
find_end(struct store *s)
{
	const struct snapshot *first = scratch_layer(s, names[0]);
	uint64_t number = first->statistics.mean == NULL ? 0 : (uint64_t)first->statistics.mean[0];

	snapshot_unref(first);
	return number;
}

static void
check_layer(struct store *s, unsigned layer, uint64_t end)
{
	const struct snapshot *found = scratch_layer(s, names[layer]);
	uint64_t updates = 0, last = 0;

	for (uint64_t i = 0; i < end; i++)
		if (touches(i, layer) && !is_refused(i)) {
			updates++;
			last = i + 1;
		}
	ck_assert_uint_eq(found->revision, updates);
	ck_assert_uint_eq(found->statistics.num_batches_tracked, updates);
	ck_assert(updates == 0 || found->statistics.mean[0] == (double)last);
	snapshot_unref(found);
}

/* Both layers of model "f": frozen or not as the last change left them, with a revision for each change of that. */
static void
check_frozen(struct store *s, const char *layer, uint64_t end)
{
	struct store_op op =
	    scratch_run(s, (struct store_op){ .kind = STORE_LAYER_GET, .get = { .model = "f", .layer = layer } });
	uint64_t revision = 0;
	bool frozen = false;

	for (uint64_t i = 0; i < end; i++)
		if (!is_refused(i)) {
			revision += freezes(i) != frozen;
			frozen = freezes(i);
		}
	ck_assert_int_eq(op.get.snapshot->frozen, frozen);
	ck_assert_uint_eq(op.get.snapshot->revision, revision);
	store_op_fini(&op);
}

static struct source *
make_source(const char *name, uint64_t count, double mean)
{
	struct source *source = source_new(1, name, 0);

	source->own.count = count;
	source->own.mean[0] = mean;
	source->own.var[0] = 1;
	return source;
}

/* The layer of sources: all totals that came last, and what was folded, in its order; to the bit. */
static void
check_sources(struct store *s, uint64_t end)
{
	const struct snapshot *found = scratch_layer(s, "s");
	struct sources *t = sources_new(1);
	struct source *part = source_new(1, "", 0);
	double mean, var;
	struct statistics next = { .features = 1, .mean = &mean, .var = &var };
	uint64_t changes = 0;

	for (uint64_t i = 0; i < end; i++) {
		const double value = (double)i + 1, one = 1;
		const struct update u = {
			.averaging = AVERAGING_POOLED, .count = i + 1, .features = 1, .mean = &value, .var = &one
		};

		if (is_refused(i))
			continue;
		changes++;
		sources_load(t, make_source(source_names[i % SOURCES], i + 1, value));
		if (!folds(i))
			continue;
		ck_assert_int_eq(update_apply(&part->own, &u, &next), UPDATE_APPLIED);
		part->own.count = next.count;
		part->own.mean[0] = mean;
		part->own.var[0] = var;
	}
	sources_load(t, part);
	ck_assert_int_eq(sources_pool_all(t), UPDATE_APPLIED);
	ck_assert_int_eq(sources_statistics(t, 0, &next), UPDATE_APPLIED);
	ck_assert_uint_eq(found->revision, changes);
	ck_assert_uint_eq(found->sources, t->count);
	ck_assert_uint_eq(found->statistics.count, next.count);
	ck_assert(end == 0 || (found->statistics.mean[0] == mean && found->statistics.var[0] == var));
	sources_free(t);
	snapshot_unref(found);
}

/* Of `number`, which was not refused. */
static bool
is_repeat(struct store *s, uint64_t number)
{
	static struct numbered c;

	make_change(&c, number);
	c.op.change.key = c.key;
	c.op = scratch_run(s, c.op);
	ck_assert_msg(c.op.err.code == ERR_NONE, "%s", c.op.err.detail);
	store_op_fini(&c.op);
	return c.op.change.repeated;
}

/* Whether a change had a key, and "new" is still what it left of it: with a layer its keys go. */
static bool
can_be_repeated(uint64_t number, uint64_t end)
{
	if (number % 3 != 0 || is_refused(number))
		return false;
	for (uint64_t i = number + 1; i < end && new_exists(number + 1); i++)
		if (!is_refused(i) && !new_exists(i + 1))
			return false;
	return true;
}

/* The last changes again, those that had a key: they are known. Returns the number of changes that are there then. */
static uint64_t
check_keys(struct store *s, uint64_t end)
{
	for (uint64_t i = end > IN_FLIGHT ? end - IN_FLIGHT : 0; i < end; i++)
		if (can_be_repeated(i, end))
			ck_assert_msg(is_repeat(s, i), "change %llu was taken twice", (unsigned long long)i);
	if (!is_refused(end) && end % 3 == 0) {
		ck_assert_msg(!is_repeat(s, end), "change %llu is not there, but its key", (unsigned long long)end);
		end++;
	}
	return end;
}

static uint64_t
check_all(uint64_t acknowledged)
{
	struct store *s = scratch_open();
	struct store_op op;
	uint64_t end = find_end(s);

	while (end < acknowledged && is_refused(end))
		end++;
	ck_assert_uint_ge(end, acknowledged);
	for (unsigned i = 0; i < LAYERS; i++)
		check_layer(s, i, end);
	check_sources(s, end);
	check_frozen(s, "a", end);
	check_frozen(s, "b", end);
	op = scratch_run(s, (struct store_op){ .kind = STORE_LAYER_GET, .get = { .model = "n", .layer = "new" } });
	if (end > 0 && !is_refused(end - 1))
		ck_assert_int_eq(op.get.snapshot != NULL, new_exists(end));
	store_op_fini(&op);
	end = check_keys(s, end);
	store_close(s);
	return end;
}

START_TEST(a_kill_leaves_changes_whole)
{
	struct store *s = scratch_open();
	uint64_t end = 0, before;

	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(progress, MAP_FAILED);
	for (unsigned i = 0; i < LAYERS; i++)
		scratch_create(s, names[i]);
	scratch_create(s, "s");
	for (unsigned i = 0; i < 2; i++)
		(void)scratch_write(s,
		    (struct store_write){ .kind = STORE_LAYER_CREATE,
			.model = "f",
			.layer = names[i],
			.create = { .definition = "d", .features = 1 } });
	store_close(s);
	for (unsigned round = 0; round < KILLS; round++) {
		before = end;
		run_and_kill(end, round);
		end = check_all(atomic_load(&progress->acknowledged));
		ck_assert_uint_gt(end, before);
	}
	munmap(progress, sizeof(*progress));
}
END_TEST

/*
 * A change of more than SQLite keeps in memory: it makes layers, of which a few share a page of the database, deletes
 * some of them long after they were made, and is refused by its last write.
 */
#define LARGE_LAYERS 4000
#define LARGE_DELETED_AFTER 2000

static void
refuse_large_change(struct store *s)
{
	static struct store_write writes[2 * LARGE_LAYERS];
	static char layers[LARGE_LAYERS][8], definition[1000];
	struct store_op op = { .kind = STORE_CHANGE };
	size_t n = 0;

	memset(definition, 'd', sizeof(definition) - 1);
	for (unsigned i = 0; i < LARGE_LAYERS; i++) {
		snprintf(layers[i], sizeof(layers[i]), "%05u", i);
		writes[n++] = (struct store_write){ .kind = STORE_LAYER_CREATE,
			.model = "large",
			.layer = layers[i],
			.create = { .definition = definition, .features = 1 } };
		if (i > LARGE_DELETED_AFTER + 200 && i % 6 == 0)
			writes[n++] = (struct store_write){
				.kind = STORE_LAYER_DELETE, .model = "large", .layer = layers[i - LARGE_DELETED_AFTER]
			};
	}
	writes[n++] = (struct store_write){ .kind = STORE_LAYER_DELETE, .model = "large", .layer = "none" };
	op.change.writes = writes;
	op.change.count = n;
	op = scratch_run(s, op);
	ck_assert_int_eq(op.err.code, ERR_NO_SUCH_LAYER);
	store_op_fini(&op);
}

START_TEST(a_kill_after_a_large_refused_change_loses_nothing)
{
	static const char *const acknowledged[] = { "before", "after" };
	struct store *s;
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		s = scratch_open();
		scratch_create(s, acknowledged[0]);
		refuse_large_change(s);
		scratch_create(s, acknowledged[1]);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	s = scratch_open();
	for (unsigned i = 0; i < 2; i++) {
		const struct snapshot *layer = scratch_layer(s, acknowledged[i]);

		ck_assert_msg(layer != NULL, "layer \"%s\" is lost", acknowledged[i]);
		snapshot_unref(layer);
	}
	store_close(s);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("change_kill");
	TCase *t = tcase_create("change_kill");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_add_test(t, a_kill_leaves_changes_whole);
	tcase_add_test(t, a_kill_after_a_large_refused_change_loses_nothing);
	suite_add_tcase(s, t);
	return s;
}
