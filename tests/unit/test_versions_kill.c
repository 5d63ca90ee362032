/* SPDX-License-Identifier: MIT */
/*
 * A process that trains a model and makes and deletes versions of it is killed again and again. What is found
 * afterwards: the versions that were acknowledged, but those whose deletion was begun; each the states of one moment;
 * and nothing of one that was being made.
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

#include "tests/unit/scratch_store.h"

#define KILLS 20
#define LAYERS 5
#define IN_FLIGHT 16

static const char *const names[LAYERS] = { "a", "b", "c", "d", "e" };
static const unsigned char digest[SHA256_BYTES] = "a digest";

/* How far the process that is killed has come. Shared with it. */
static struct {
	atomic_ullong made;     /* the latest version that was acknowledged */
	atomic_ullong deleting; /* the latest whose deletion was asked for */
	atomic_ullong deleted;  /* the latest whose deletion was acknowledged */
} * progress;

/* ---- the process that is killed */

/* One change gives all layers the same mean, which is greater each time. */
struct training {
	struct store *store;
	struct store_op op;
	struct store_write writes[LAYERS];
	struct update update;
	double mean, var;
};

static atomic_ullong trained;

static void
submit(struct store *s, struct store_op *op)
{
	struct err e = { 0 };

	if (store_submit(s, op, &e) < 0)
		abort();
}

static void train(struct training *t);

static void
train_again(struct store_op *op)
{
	struct training *t = op->done_arg;

	if (op->err.code != ERR_NONE)
		abort();
	store_op_fini(op);
	train(t);
}

static void
train(struct training *t)
{
	t->mean = (double)(1 + atomic_fetch_add(&trained, 1));
	t->var = 1;
	t->update = (struct update){ .averaging = AVERAGING_EXPONENTIAL,
		.momentum = 1,
		.count = 2,
		.features = 1,
		.mean = &t->mean,
		.var = &t->var };
	for (int i = 0; i < LAYERS; i++)
		t->writes[i] = (struct store_write){ .kind = STORE_UPDATE,
			.model = "m",
			.layer = names[i],
			.updates = { .list = &t->update, .count = 1 } };
	t->op = (struct store_op){ .kind = STORE_CHANGE,
		.change = { .writes = t->writes, .count = LAYERS },
		.done = train_again,
		.done_arg = t };
	submit(t->store, &t->op);
}

static struct scratch_change
run(struct store *s, enum store_write_kind kind, struct store_version_write version)
{
	struct scratch_change c =
	    scratch_run_change(s, (struct scratch_change){ .write = { .kind = kind, .version = version } });

	if (c.op.err.code != ERR_NONE)
		abort();
	return c;
}

/* Of the versions, the latest three stay; now and then a pin is only released. */
static void
make_versions(struct store *s)
{
	struct store_version made = { 0 };
	struct store_pin *pin;
	char number[24];
	uint64_t oldest = atomic_load(&progress->deleted) + 1; /* a kill may have left more than three */

	for (unsigned i = 0;; i++) {
		pin = run(s, STORE_PIN, (struct store_version_write){ 0 }).write.version.pin;
		if (i % 3 != 1) {
			(void)run(s, STORE_VERSION_MAKE,
			    (struct store_version_write){ .pin = pin, .note = "", .digest = digest, .made = &made });
			atomic_store(&progress->made, made.number);
		}
		store_pin_release(pin);
		for (; made.number >= oldest + 3; oldest++) {
			snprintf(number, sizeof(number), "%llu", (unsigned long long)oldest);
			atomic_store(&progress->deleting, oldest);
			(void)run(s, STORE_VERSION_DELETE, (struct store_version_write){ .name = number });
			atomic_store(&progress->deleted, oldest);
		}
	}
}

static void
work(void)
{
	static struct training all[IN_FLIGHT];
	struct store *s = scratch_open();
	const struct snapshot *layer = scratch_layer(s, "a");

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (layer == NULL)
		abort();
	atomic_store(&trained, layer->revision);
	for (int i = 0; i < IN_FLIGHT; i++) {
		all[i].store = s;
		train(&all[i]);
	}
	make_versions(s);
}

/* ---- what is found */

/* The mean that all layers of a version have. */
static double
mean_of(struct store *s, uint64_t version)
{
	char number[24];
	struct store_op op;
	double mean;

	snprintf(number, sizeof(number), "%llu", (unsigned long long)version);
	op = scratch_run(s,
	    (struct store_op){ .kind = STORE_STATES_GET,
		.states = { .model = "m", .which = { STORE_NAMED, .name = number }, .limit = LAYERS } });
	ck_assert_msg(op.err.code == ERR_NONE, "%s", op.err.detail);
	ck_assert_uint_eq(op.states.count, LAYERS);
	mean = op.states.entries[0]->statistics.mean != NULL ? op.states.entries[0]->statistics.mean[0] : 0;
	for (size_t i = 0; i < LAYERS; i++) {
		ck_assert_str_eq(op.states.entries[i]->identity->name, names[i]);
		ck_assert_uint_eq(op.states.entries[i]->revision, op.states.entries[0]->revision);
		if (mean != 0)
			ck_assert_double_eq(op.states.entries[i]->statistics.mean[0], mean);
	}
	store_op_fini(&op);
	return mean;
}

static void
look(void)
{
	const uint64_t made = atomic_load(&progress->made), deleting = atomic_load(&progress->deleting),
		       deleted = atomic_load(&progress->deleted);
	struct store *s;
	struct store_op op;
	double mean = -1, next;

	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
	s = scratch_open();
	op =
	    scratch_run(s, (struct store_op){ .kind = STORE_VERSIONS_GET, .versions = { .model = "m", .limit = 100 } });
	ck_assert_int_eq(op.err.code, ERR_NONE);
	for (size_t i = 0; i < op.versions.count; i++) {
		ck_assert_uint_gt(op.versions.entries[i].number, deleted);
		ck_assert_uint_le(op.versions.entries[i].number, made + 1); /* which was not told */
		next = mean_of(s, op.versions.entries[i].number);
		ck_assert_double_ge(next, mean);
		mean = next;
	}
	ck_assert_uint_ge(op.versions.count, made - deleting);
	/* What was made without being told is so by now. */
	if (op.versions.count > 0) {
		atomic_store(&progress->made, op.versions.entries[op.versions.count - 1].number);
		atomic_store(&progress->deleted, op.versions.entries[0].number - 1);
		atomic_store(&progress->deleting, op.versions.entries[0].number - 1);
	}
	store_op_fini(&op);
	store_close(s);
}

static void
kill_after(long us)
{
	const struct timespec pause = { .tv_nsec = us * 1000 };
	const pid_t child = fork();
	int status;

	if (child == 0) {
		work();
		_exit(0);
	}
	ck_assert_int_gt(child, 0);
	nanosleep(&pause, NULL);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

START_TEST(versions_survive_a_kill_whole_or_were_never_made)
{
	struct store *s = scratch_open();

	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(progress, MAP_FAILED);
	for (int i = 0; i < LAYERS; i++)
		scratch_create(s, names[i]);
	store_close(s);
	for (int i = 0; i < KILLS || atomic_load(&progress->deleted) < 3; i++) {
		/* Where little is done in that time, because the machine is slow, it gets more. */
		kill_after(5000 + (i * 7919) % 60000 + (i < KILLS ? 0 : (i - KILLS) % 90 * 10000));
		look();
	}
	munmap(progress, sizeof(*progress));
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("versions_kill");
	TCase *t = tcase_create("versions_kill");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_add_test(t, versions_survive_a_kill_whole_or_were_never_made);
	suite_add_tcase(s, t);
	return s;
}
