/* SPDX-License-Identifier: MIT */
/*
 * The commit engine: a bounded queue in front of one thread, which takes all that waits. It answers reads first, from
 * committed state. It applies the changes to a batch, commits that and publishes the new snapshots to the cache; only
 * then are the callers told. Batches grow with the load, and a lone client waits for nobody. Between batches, and while
 * there are none, a backup makes some progress.
 */
#include "storage/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/pulse.h"
#include "storage/batch.h"
#include "storage/chores.h"
#include "storage/copies.h"
#include "storage/history.h"
#include "storage/pg_steps.h"
#include "storage/pg_url.h"
#include "storage/pins.h"
#include "storage/reads.h"
#include "storage/snapshot.h"
#include "storage/source_trees.h"
#include "storage/sqlite_file.h"
#include "storage/sqlite_url.h"
#include "storage/window_rows.h"

struct store {
	/* Immutable after open. */
	struct identity_common identities;
	struct cache *cache; /* has a lock of its own */
	size_t queue_max;
	unsigned history_interval_s;
	uint64_t max_staleness_us;
	pthread_t thread;

	/* The store thread's. */
	struct backend *backend;
	struct source_trees trees;
	struct chores chores;
	struct copies copies;
	struct windows windows; /* but for what windows.h says is any thread's */
	uint64_t probe_due_us;  /* when to try whether the storage works again; UINT64_MAX while it does */

	/* Guarded by `lock`. */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct store_op *first, **last;
	size_t waiting;
	struct store_pin *released;
	bool closing;

	atomic_bool healthy;
};

/* For how long a batch is tried again, and after which pauses: RETRY_LEAST_US at first, doubled so often. */
#define RETRY_US ((uint64_t)10000000)
#define RETRY_LEAST_US ((uint64_t)500)
#define RETRY_DOUBLINGS 7

/* How often it is tried whether a storage that has failed works again. */
#define PROBE_PAUSE_US ((uint64_t)1000000)

struct op_list {
	struct store_op *first, **last;
};

static void
append(struct op_list *list, struct store_op *op)
{
	op->next = NULL;
	*list->last = op;
	list->last = &op->next;
}

/*
 * Whether the database is away is known by the last try. Then what the cache has is good whatever its age, and nobody
 * may ask for more: so it is tried again soon, as after a failure.
 */
static void
note_away(struct store *s)
{
	const bool away = s->backend->ops->is_away != NULL && s->backend->ops->is_away(s->backend);

	cache_set_away(s->cache, away);
	if (away && s->probe_due_us == UINT64_MAX)
		s->probe_due_us = clock_monotonic_us() + PROBE_PAUSE_US;
}

/* Of a shared database: reads the layers of all reads at once. Where that fails, each read finds out by itself. */
static void
look(struct store *s, const struct store_op *ops, struct batch_plan *plan, struct arena *arena)
{
	struct err ignored;

	if (s->backend->ops->look == NULL)
		return;
	cache_asks(s->cache);
	if (plan_reads(plan, ops, s->cache, arena, &ignored) == 0 && plan->layer_count > 0)
		(void)s->backend->ops->look(s->backend, plan, &ignored);
	note_away(s);
}

/*
 * Answers the reads, lets backups wait for their copy, and returns the changes, in their order, with the number of
 * their writes. Pins go first (apply_versions.c); all that waits is under way at once, so nobody can tell.
 */
static struct store_op *
answer_reads(struct store *s, struct store_op *ops, size_t *write_count)
{
	const struct committed committed = { s->backend, s->cache, &s->windows };
	struct op_list pins = { .last = &pins.first }, changes = { .last = &changes.first };
	struct batch_plan plan = { 0 };
	struct store_op *next;
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	look(s, ops, &plan, &arena);
	*write_count = 0;
	for (struct store_op *op = ops; op != NULL; op = next) {
		next = op->next;
		if (op->kind == STORE_BACKUP) {
			copies_ask(&s->copies, op);
		} else if (op->kind == STORE_CHANGE) {
			append(op->change.writes->kind == STORE_PIN ? &pins : &changes, op);
			*write_count += op->change.count;
		} else {
			reads_answer(&committed, op);
		}
	}
	if (plan.layer_count > 0)
		s->backend->ops->forget(s->backend);
	plan_fini(&plan);
	arena_fini(&arena);
	*pins.last = changes.first;
	return pins.first;
}

/* The plan of a batch, where the database needs one. */
static int
plan(struct store *s, struct batch *b, const struct store_op *ops, struct err *e)
{
	if (!s->backend->shared)
		return 0;
	cache_asks(s->cache);
	if (plan_changes(&b->plan, ops, s->windows.taken, s->windows.taken_count, s->cache, &b->arena, e) < 0)
		return -1;
	b->plan.keys_since_s = b->keys_since_s;
	return 0;
}

/*
 * Applies all, saves, commits. Windows go first (window_rows.h). After a failure, one write comes before all else: a
 * transaction in which nothing is written would succeed on a full disk. -1 with `e` when the batch as a whole failed;
 * then nothing of it stands.
 */
static int
commit_batch(struct store *s, struct batch *b, struct store_op *ops, struct err *e)
{
	if (plan(s, b, ops, e) < 0 || s->backend->ops->begin(s->backend, &b->plan, e) < 0)
		return -1;
	b->broken = (!store_healthy(s) && s->backend->ops->try_write(s->backend, e) < 0) || window_rows_save(b, e) < 0;
	for (struct store_op *op = ops; op != NULL && !b->broken; op = op->next)
		if (batch_apply(b, &op->change, &op->err) < 0 && b->broken)
			*e = op->err;
	if (b->broken || batch_save(b, e) < 0 || chores_work(&s->chores, b, e) < 0 ||
	    s->backend->ops->commit(s->backend, e) < 0) {
		s->backend->ops->rollback(s->backend);
		return -1;
	}
	return 0;
}

/* Nothing of the changes stands: takes back what they have left, and gives each this error, or none. */
static void
undo_all(struct store *s, struct store_op *ops, const struct err *e)
{
	source_trees_drop_used(&s->trees);
	for (struct store_op *op = ops; op != NULL; op = op->next) {
		change_forget(&op->change);
		versions_undo(&op->change);
		op->change.repeated = false;
		op->err = *e;
	}
}

static void
tell_all(struct store_op *ops)
{
	struct store_op *next;

	for (struct store_op *op = ops; op != NULL; op = next) {
		next = op->next;
		op->done(op);
	}
}

/* After a batch's transaction has ended, and before its callers know. */
static void
count_batch(const struct batch *b, const struct store_op *ops, bool committed, uint64_t began_us)
{
	uint64_t results[METRIC_RESULT_COUNT] = { 0 }, repeats = 0;

	for (const struct store_op *op = ops; op != NULL; op = op->next) {
		results[op->err.code == ERR_NONE ? METRIC_RESULT_OK : METRIC_RESULT_FAILED]++;
		repeats += op->err.code == ERR_NONE && op->change.repeated;
	}
	metrics_count(committed ? METRIC_STORE_COMMITS : METRIC_STORE_FAILURES);
	for (size_t i = 0; i < METRIC_RESULT_COUNT; i++)
		metrics_add(METRIC_STORE_CHANGES, i, results[i]);
	metrics_add(METRIC_KEYS_REPEATED, 0, repeats);
	if (!committed)
		return;
	metrics_observe_us(METRIC_STORE_COMMIT_SECONDS, 0, clock_monotonic_us() - began_us);
	metrics_add(METRIC_KEYS_STORED, 0, b->keys_added);
	metrics_add(METRIC_KEYS_FORGOTTEN, 0, b->keys_purged + b->trimmed.forgotten);
}

/* After a batch, which was committed or failed with this error. */
static void
note_health(struct store *s, bool committed, const struct err *e)
{
	if (committed)
		atomic_store(&s->healthy, true);
	else if (e->code == ERR_STORAGE_UNAVAILABLE || e->code == ERR_STORAGE_FULL)
		atomic_store(&s->healthy, false);
	s->probe_due_us = store_healthy(s) ? UINT64_MAX : clock_monotonic_us() + PROBE_PAUSE_US;
}

/* Begins a batch and commits it. Either way batch_fini follows. */
static bool
try_writes(struct store *s, struct batch *b, struct store_op *ops, size_t count, struct err *e)
{
	const bool made = batch_init(b, count, s->backend, s->cache, &s->identities, e) == 0;

	b->store = s;
	b->trees = &s->trees;
	b->windows = &s->windows;
	b->history_interval_s = s->history_interval_s;
	source_trees_begin(&s->trees);
	chores_begin(&s->chores, b);
	return made && commit_batch(s, b, ops, e) == 0;
}

/* Whether a batch that failed is done again: others were in its way, or a connection was lost. Waits a little. */
static bool
is_tried_again(const struct store *s, uint64_t began_us, unsigned tries)
{
	const uint64_t pause_us = RETRY_LEAST_US << (tries < RETRY_DOUBLINGS ? tries : RETRY_DOUBLINGS);

	pulse_work();
	if (s->backend->ops->may_retry == NULL || !s->backend->ops->may_retry(s->backend) ||
	    clock_monotonic_us() - began_us > RETRY_US)
		return false;
	clock_sleep_us(pause_us / 2 + (began_us ^ clock_monotonic_us()) % pause_us);
	return true;
}

/* True: it was committed. */
static bool
run_writes(struct store *s, struct store_op *ops, size_t count)
{
	const uint64_t began_us = clock_monotonic_us();
	const bool windows_are_saved = windows_are_due(&s->windows);
	bool committed;
	struct batch b;
	struct err e = { 0 };

	while (windows_are_saved && windows_take(&s->windows))
		;
	for (unsigned tries = 0; !(committed = try_writes(s, &b, ops, count, &e)) && is_tried_again(s, began_us, tries);
	     tries++) {
		undo_all(s, ops, &(struct err){ 0 });
		batch_fini(&b);
	}
	note_health(s, committed, &e);
	note_away(s);
	if (committed) {
		batch_publish(&b);
		chores_end(&s->chores, &b);
	} else {
		undo_all(s, ops, &e);
	}
	count_batch(&b, ops, committed, began_us);
	if (windows_are_saved)
		windows_end_slice(&s->windows, committed);
	batch_fini(&b); /* first: once told, a request gives back the budget that the batch's memory was counted in */
	tell_all(ops);
	return committed;
}

/* How long to wait for operations: until something else is due; only for a moment while a backup is made. */
static struct timespec
wait_until(struct store *s)
{
	const uint64_t soon_us = clock_monotonic_us() + copies_pause_us(&s->copies);
	const uint64_t windows_us = windows_wake_us(&s->windows);
	uint64_t until_us = s->chores.due_us < windows_us ? s->chores.due_us : windows_us;

	if (s->probe_due_us < until_us)
		until_us = s->probe_due_us;
	if (copies_runs(&s->copies) && soon_us < until_us)
		until_us = soon_us;
	return clock_timespec(until_us);
}

/* False: the time is over. */
static bool
wait_locked(struct store *s, const struct timespec *until)
{
	bool woken;

	pulse_wait();
	woken = pthread_cond_timedwait(&s->wake, &s->lock, until) == 0;
	pulse_work();
	return woken;
}

/* Takes all operations that wait, in order; waits for some until wait_until. False: closing, and all are done. */
static bool
take_all(struct store *s, struct store_op **ops)
{
	const struct timespec until = wait_until(s);
	struct store_pin *released;
	bool more;

	pulse_work();
	pthread_mutex_lock(&s->lock);
	while (s->first == NULL && s->released == NULL && !s->closing && !windows_are_urgent(&s->windows))
		if (!wait_locked(s, &until))
			break;
	*ops = s->first;
	more = s->first != NULL || !s->closing;
	s->first = NULL;
	s->last = &s->first;
	s->waiting = 0;
	released = s->released;
	s->released = NULL;
	pthread_mutex_unlock(&s->lock);
	if (released != NULL)
		chores_drop_pins(&s->chores, released);
	return more;
}

static bool
probe_is_due(const struct store *s)
{
	return s->probe_due_us != UINT64_MAX && clock_monotonic_us() >= s->probe_due_us;
}

static void *
store_main(void *arg)
{
	struct store *s = arg;
	struct store_op *ops;
	size_t count;
	uint64_t began_us;

	pulse_begin("store");
	while (take_all(s, &ops)) {
		began_us = clock_monotonic_us();
		ops = answer_reads(s, ops, &count);
		if (ops != NULL && windows_have_failed(&s->windows) && windows_are_due(&s->windows))
			(void)run_writes(s, NULL, 0); /* by themselves, so that no other change fails with them */
		if (ops != NULL || chores_are_due(&s->chores) || windows_are_due(&s->windows) || probe_is_due(s))
			(void)run_writes(s, ops, count);
		copies_work(&s->copies, clock_monotonic_us() - began_us);
	}
	copies_abandon(&s->copies);
	return NULL;
}

static int
refuse_submit(const struct store *s, bool closing, struct err *e)
{
	if (closing)
		return err_fail(e, ERR_SHUTTING_DOWN, "the storage is closing");
	err_set(e, ERR_OVERLOADED, "%zu operations are already waiting for the storage; try again later", s->queue_max);
	err_set_shed(e, METRIC_SHED_STORE_QUEUE);
	return -1;
}

int
store_submit(struct store *s, struct store_op *op, struct err *e)
{
	bool closing, taken, first;

	op->next = NULL;
	pthread_mutex_lock(&s->lock);
	closing = s->closing;
	taken = !closing && s->waiting < s->queue_max;
	first = taken && s->waiting == 0;
	if (taken) {
		*s->last = op;
		s->last = &op->next;
		s->waiting++;
	}
	pthread_mutex_unlock(&s->lock);
	/* After unlocking: a thread that wakes up while the lock is held goes to sleep again. */
	if (first)
		pthread_cond_signal(&s->wake);
	return taken ? 0 : refuse_submit(s, closing, e);
}

void
store_pin_release(struct store_pin *pin)
{
	struct store *s;
	bool first;

	if (pin == NULL)
		return;
	if (pin->made) {
		pins_free(pin);
		return;
	}
	s = pin->store;
	pthread_mutex_lock(&s->lock);
	first = s->released == NULL;
	pin->next = s->released;
	s->released = pin;
	pthread_mutex_unlock(&s->lock);
	if (first)
		pthread_cond_signal(&s->wake);
}

const struct snapshot *
store_layer_cached(struct store *s, struct store_get *get)
{
	return cache_get_which(s->cache, get);
}

bool
store_layers_cached(struct store *s, struct store_layers *layers)
{
	return cache_get_all(s->cache, layers);
}

void
store_measure(struct store *s, struct store_figures *out)
{
	*out = (struct store_figures){ .queue_max = s->queue_max };
	pthread_mutex_lock(&s->lock);
	out->queue = s->waiting;
	pthread_mutex_unlock(&s->lock);
	cache_measure(s->cache, out);
	out->windows_bytes = windows_bytes(&s->windows);
	s->backend->ops->measure(s->backend, out);
}

bool
store_healthy(const struct store *s)
{
	return atomic_load(&s->healthy);
}

int
store_check_url(const char *url, struct err *e)
{
	if (pg_url_is(url))
		return pg_url_check(url, e);
	return sqlite_url_path(url, e) == NULL ? -1 : 0;
}

int
store_check_place(const char *url, struct err *e)
{
	const char *path;

	if (pg_url_is(url))
		return pg_url_check(url, e);
	path = sqlite_url_path(url, e);
	return path == NULL ? -1 : sqlite_file_check(path, e);
}

const char *
store_show_url(const char *url, char out[STORE_URL_SHOWN])
{
	if (pg_url_is(url))
		pg_url_show(url, out, STORE_URL_SHOWN);
	else
		snprintf(out, STORE_URL_SHOWN, "%s", url);
	return out;
}

void
store_find_files(const char *url, store_file *one, void *arg)
{
	if (pg_url_is(url))
		pg_url_files(url, one, arg);
}

/* Any thread's: there is too much that is not saved. The lock: the store's thread must not miss the signal. */
static void
wake(void *arg)
{
	struct store *s = arg;

	pthread_mutex_lock(&s->lock);
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

/* The store's thread has ended. */
static void
save_windows(struct store *s)
{
	windows_hurry(&s->windows);
	while (s->windows.round_left > 0 && run_writes(s, NULL, 0))
		;
	if (s->windows.count > 0)
		log_event(LOG_ERROR,
		    "windows of inference could not be saved: the values that came since the last save are lost", NULL,
		    0);
}

static void
store_free(struct store *s)
{
	windows_fini(&s->windows); /* first: identities know it */
	if (s->backend != NULL)
		s->backend->ops->close(s->backend);
	chores_close(&s->chores);
	pins_free(s->released);
	source_trees_fini(&s->trees);
	cache_free(s->cache);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
	free(s);
}

/* NULL with `e`. */
static struct backend *
open_backend(const struct store_options *options, const struct identity_common *identities, struct err *e)
{
	const char *path;

	if (pg_url_is(options->url))
		return pg_backend_open(options->url, identities, e);
	path = sqlite_url_path(options->url, e);
	return path == NULL ? NULL : sqlite_backend_open(path, &options->opening, identities, e);
}

struct store *
store_open(const struct store_options *options, struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL) {
		err_set_memory(e);
		return NULL;
	}
	s->identities = (struct identity_common){ options->definitions, &s->windows };
	s->queue_max = options->queue_max;
	s->history_interval_s = options->history_interval_s != 0 ? options->history_interval_s : HISTORY_INTERVAL_S;
	s->chores.key_lifetime_s = options->key_lifetime_s != 0 ? options->key_lifetime_s : STORE_KEY_LIFETIME_S;
	s->chores.keys_max = options->keys_max != 0 ? options->keys_max : STORE_KEYS_MAX;
	s->max_staleness_us = options->max_staleness_us != 0 ? options->max_staleness_us : STORE_MAX_STALENESS_US;
	s->last = &s->first;
	pthread_mutex_init(&s->lock, NULL);
	clock_cond_init(&s->wake);
	atomic_init(&s->healthy, true);
	s->probe_due_us = UINT64_MAX;
	s->cache = cache_new(options->cache_bytes_max);
	if (s->cache == NULL) {
		err_set_memory(e);
		goto fail;
	}
	source_trees_init(&s->trees, s->cache, options->sources_bytes_max);
	windows_init(&s->windows, options, s->cache);
	s->windows.wake = wake;
	s->windows.wake_arg = s;
	s->backend = open_backend(options, &s->identities, e);
	if (s->backend == NULL || chores_open(&s->chores, s->backend, e) < 0 ||
	    copies_start(&s->copies, s->backend, e) < 0)
		goto fail;
	if (s->backend->shared)
		cache_share(s->cache, s->max_staleness_us);
	rc = pthread_create(&s->thread, NULL, store_main, s);
	if (rc != 0) {
		err_set(e, ERR_STORAGE_UNAVAILABLE, "the store's thread cannot be started: %s", strerror(rc));
		copies_stop(&s->copies);
		goto fail;
	}
	return s;
fail:
	store_free(s);
	return NULL;
}

int
store_meeting_open(const char *url, struct meeting **meeting, struct err *e)
{
	*meeting = pg_url_is(url) ? pg_steps_open(url, e) : NULL;
	return *meeting == NULL && pg_url_is(url) ? -1 : 0;
}

void
store_stop(struct store *s)
{
	bool stopped;

	pthread_mutex_lock(&s->lock);
	stopped = s->closing;
	s->closing = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	if (!stopped)
		pthread_join(s->thread, NULL);
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	store_stop(s);
	save_windows(s);
	copies_stop(&s->copies);
	store_free(s);
}
