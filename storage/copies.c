/* SPDX-License-Identifier: MIT */
/*
 * Commits would wait while a copy is written to the disk (storage/write_back.h), and while its space is freed: close()
 * takes 50 ms for 200 MB on ext4. So that neither an event loop nor the store's thread waits, a thread of its own
 * writes the copy while it grows, and truncates it piece by piece before it is closed.
 */
#include "storage/copies.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "storage/write_back.h"

/* Each copy takes the store's size on the disk until its last reader is done. More are a mistake, or an attack. */
#define COPIES_MAX 4
#define RETRY_AFTER_S 10

/* A copy gets this part of the time that the store spends on its other work. */
#define SHARE 8

/* How much space is freed at once. */
#define FREED_BYTES ((off_t)4 << 20)

/* A copy waits for the disk when it is this far ahead. */
#define AHEAD_BYTES_MAX (16 * WRITE_BACK_BYTES)

/*
 * The pause between two pieces. Without it the scheduler would let the thread wait when there is something to commit,
 * because it always runs. It is longer while the copy waits for the disk.
 */
#define PAUSE_US ((uint64_t)50)
#define AHEAD_PAUSE_US ((uint64_t)1000)

/* The store counts as busy for BUSY_US after a batch, that is, after work of at least WORK_US. */
#define BUSY_US ((uint64_t)100000)
#define WORK_US ((uint64_t)50)

struct copy_block {
	struct store_copy copy; /* first: the outside sees only this */
	atomic_uint references;
	struct copies *home;
	struct copy_block *next;
};

static struct copy_block *
copy_block(const struct store_copy *copy)
{
	return (struct copy_block *)(uintptr_t)copy;
}

const struct store_copy *
store_copy_ref(const struct store_copy *copy)
{
	atomic_fetch_add_explicit(&copy_block(copy)->references, 1, memory_order_relaxed);
	return copy;
}

void
store_copy_unref(const struct store_copy *copy)
{
	struct copy_block *b = copy_block(copy);

	if (b == NULL || atomic_fetch_sub_explicit(&b->references, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_lock(&b->home->lock);
	b->next = b->home->unused;
	b->home->unused = b;
	pthread_cond_signal(&b->home->wake);
	pthread_mutex_unlock(&b->home->lock);
}

/* A copy whose bytes nobody reads any more. */
static void
copy_free(struct copy_block *b)
{
	struct stat st = { 0 };

	(void)fstat(b->copy.descriptor, &st); /* it may not be whole */
	while (st.st_size > FREED_BYTES) {
		st.st_size -= FREED_BYTES;
		if (ftruncate(b->copy.descriptor, st.st_size) < 0)
			break; /* it is freed all the same */
	}
	close(b->copy.descriptor);
	free(b);
}

/* Whether there is a whole piece to write; the last, short one is left to the kernel. */
static bool
copy_is_ahead(const struct copies *b)
{
	return b->growing != NULL && b->grown_bytes >= b->on_disk_bytes + WRITE_BACK_BYTES;
}

/* Unlocks meanwhile. Only this thread closes copies, so the descriptor stays valid. */
static void
write_piece_locked(struct copies *b)
{
	const struct copy_block *growing = b->growing;
	const uint64_t from = b->on_disk_bytes, to = b->grown_bytes;
	const bool gently = b->gently;
	uint64_t end;

	pthread_mutex_unlock(&b->lock);
	end = write_back_piece(growing->copy.descriptor, from, to, gently);
	pthread_mutex_lock(&b->lock);
	if (b->growing == growing)
		b->on_disk_bytes = end;
}

static void
free_unused_locked(struct copies *b)
{
	struct copy_block *unused = b->unused;

	b->unused = unused->next;
	pthread_mutex_unlock(&b->lock);
	copy_free(unused);
	pthread_mutex_lock(&b->lock);
	b->copies--;
}

static void *
tend_copies(void *arg)
{
	struct copies *b = arg;

	pthread_mutex_lock(&b->lock);
	while (b->unused != NULL || copy_is_ahead(b) || !b->stopping) {
		if (copy_is_ahead(b))
			write_piece_locked(b);
		else if (b->unused != NULL)
			free_unused_locked(b);
		else
			pthread_cond_wait(&b->wake, &b->lock);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

/* Tells the thread how far the copy is (NULL: it has ended). Returns whether it should wait for the disk. */
static bool
note_growth(struct copies *b, struct copy_block *growing, uint64_t bytes)
{
	bool far_ahead;

	pthread_mutex_lock(&b->lock);
	if (growing != b->growing)
		b->on_disk_bytes = 0;
	b->growing = growing;
	b->grown_bytes = bytes;
	b->gently = clock_monotonic_us() - b->busy_us < BUSY_US;
	if (copy_is_ahead(b))
		pthread_cond_signal(&b->wake);
	far_ahead = growing != NULL && bytes > b->on_disk_bytes + AHEAD_BYTES_MAX;
	pthread_mutex_unlock(&b->lock);
	return far_ahead;
}

/* Begins a copy. NULL with `e`. */
static struct copy_block *
copy_start(struct copies *b, struct err *e)
{
	struct copy_block *block = calloc(1, sizeof(*block));

	if (block == NULL) {
		err_set_memory(e);
		return NULL;
	}
	if (b->backend->ops->copy_start(b->backend, &block->copy.descriptor, e) < 0) {
		free(block);
		return NULL;
	}
	atomic_init(&block->references, 1);
	block->home = b;
	pthread_mutex_lock(&b->lock);
	b->copies++;
	pthread_mutex_unlock(&b->lock);
	return block;
}

int
copies_start(struct copies *b, struct backend *backend, struct err *e)
{
	int rc;

	*b = (struct copies){ .backend = backend };
	b->last = &b->first;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->wake, NULL);
	rc = pthread_create(&b->thread, NULL, tend_copies, b);
	if (rc == 0)
		return 0;
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->wake);
	return err_fail(e, ERR_STORAGE_UNAVAILABLE, "the backups' thread cannot be started: %s", strerror(rc));
}

void
copies_stop(struct copies *b)
{
	pthread_mutex_lock(&b->lock);
	b->stopping = true;
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->wake);
}

bool
copies_runs(const struct copies *b)
{
	return b->first != NULL;
}

uint64_t
copies_pause_us(struct copies *b)
{
	return b->far_ahead ? AHEAD_PAUSE_US : PAUSE_US;
}

void
copies_ask(struct copies *b, struct store_op *op)
{
	bool full;

	pthread_mutex_lock(&b->lock);
	full = !copies_runs(b) && b->copies >= COPIES_MAX;
	pthread_mutex_unlock(&b->lock);
	if (full) {
		err_set(&op->err, ERR_OVERLOADED, "%d backups are already being read; try again later", COPIES_MAX);
		op->err.retry_after_s = RETRY_AFTER_S;
		err_set_shed(&op->err, METRIC_SHED_BACKUPS);
		op->done(op);
		return;
	}
	op->next = NULL;
	*b->last = op;
	b->last = &op->next;
}

/* Ends all operations that wait, with a reference to the copy each, or with the error. */
static void
tell_all(struct copies *b, const struct err *e)
{
	struct store_op *op = b->first, *next;
	struct copy_block *copy = b->copy;

	metrics_add(METRIC_BACKUPS, e->code == ERR_NONE ? METRIC_RESULT_OK : METRIC_RESULT_FAILED, 1);
	if (e->code == ERR_NONE)
		metrics_set(METRIC_BACKUP_TIME, 0, (double)clock_realtime_s());
	(void)note_growth(b, NULL, 0);
	b->first = NULL;
	b->last = &b->first;
	b->copy = NULL;
	b->far_ahead = false;
	for (; op != NULL; op = next) {
		next = op->next;
		if (e->code == ERR_NONE)
			op->copy = store_copy_ref(&copy->copy);
		op->err = *e;
		op->done(op);
	}
	if (copy != NULL)
		store_copy_unref(&copy->copy);
}

void
copies_work(struct copies *b, uint64_t spent_us)
{
	const uint64_t end_us = clock_monotonic_us() + spent_us / SHARE;
	struct copy_progress progress = { 0 };
	struct err e = { 0 };

	if (!copies_runs(b))
		return;
	if (b->copy == NULL && (b->copy = copy_start(b, &e)) == NULL) {
		tell_all(b, &e);
		return;
	}
	if (spent_us >= WORK_US)
		b->busy_us = clock_monotonic_us();
	/* Without a step, ask only how far the disk has come. */
	b->far_ahead = b->far_ahead && note_growth(b, b->copy, b->copied_bytes);
	while (!b->far_ahead) {
		if (b->backend->ops->copy_step(b->backend, &progress, &e) < 0 || progress.whole) {
			b->copy->copy.bytes = progress.bytes;
			tell_all(b, &e);
			return;
		}
		b->copied_bytes = progress.bytes;
		b->far_ahead = note_growth(b, b->copy, progress.bytes);
		if (clock_monotonic_us() >= end_us)
			break;
	}
}

void
copies_abandon(struct copies *b)
{
	struct err e;

	if (!copies_runs(b))
		return;
	if (b->copy != NULL)
		b->backend->ops->copy_drop(b->backend);
	err_set(&e, ERR_SHUTTING_DOWN, "the storage is closing");
	tell_all(b, &e);
}
