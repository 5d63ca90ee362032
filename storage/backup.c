/*
 * To free a file's space takes time: 50 ms for 200 MB on ext4, in which close() does not return and commits wait too. So that neither an event
 * loop nor the store's thread waits for it, a thread of its own shortens a copy piece by piece before it closes it.
 */
#include "storage/backup.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

/* Each takes the store's size on the disk until its last reader is done; more of them would be a mistake, or an attack. */
#define COPIES_MAX 4
#define RETRY_AFTER_S 10

/* A copy gets this part of the time that the store spends on its other work. */
#define SHARE 8

/* What is freed at once. */
#define FREED_BYTES ((off_t)4 << 20)

struct copy_block {
	struct store_copy copy; /* first: the outside sees only this */
	atomic_uint references;
	struct backup *backup;
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
	pthread_mutex_lock(&b->backup->lock);
	b->next = b->backup->unused;
	b->backup->unused = b;
	pthread_cond_signal(&b->backup->wake);
	pthread_mutex_unlock(&b->backup->lock);
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

static void *
free_copies(void *arg)
{
	struct backup *b = arg;
	struct copy_block *unused;

	pthread_mutex_lock(&b->lock);
	for (;;) {
		while (b->unused == NULL && !b->stopping)
			pthread_cond_wait(&b->wake, &b->lock);
		unused = b->unused;
		if (unused == NULL)
			break;
		b->unused = unused->next;
		pthread_mutex_unlock(&b->lock);
		copy_free(unused);
		pthread_mutex_lock(&b->lock);
		b->copies--;
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

/* Begins a copy. NULL with `e`. */
static struct copy_block *
copy_start(struct backup *b, struct err *e)
{
	struct copy_block *block = calloc(1, sizeof(*block));

	if (block == NULL) {
		(void)err_set_memory(e);
		return NULL;
	}
	if (b->backend->ops->copy_start(b->backend, &block->copy.descriptor, e) < 0) {
		free(block);
		return NULL;
	}
	atomic_init(&block->references, 1);
	block->backup = b;
	pthread_mutex_lock(&b->lock);
	b->copies++;
	pthread_mutex_unlock(&b->lock);
	return block;
}

int
backup_start(struct backup *b, struct backend *backend, struct err *e)
{
	int rc;

	*b = (struct backup){ .backend = backend };
	b->last = &b->first;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->wake, NULL);
	rc = pthread_create(&b->thread, NULL, free_copies, b);
	if (rc == 0)
		return 0;
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->wake);
	return err_set(e, ERR_STORAGE_UNAVAILABLE, "the backups' thread cannot be started: %s", strerror(rc));
}

void
backup_stop(struct backup *b)
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
backup_runs(const struct backup *b)
{
	return b->first != NULL;
}

static unsigned
copies_now(struct backup *b)
{
	unsigned copies;

	pthread_mutex_lock(&b->lock);
	copies = b->copies;
	pthread_mutex_unlock(&b->lock);
	return copies;
}

void
backup_ask(struct backup *b, struct store_op *op)
{
	if (!backup_runs(b) && copies_now(b) >= COPIES_MAX) {
		(void)err_set(&op->err, ERR_OVERLOADED, "%d backups are being read already", COPIES_MAX);
		op->err.retry_after_s = RETRY_AFTER_S;
		op->done(op);
		return;
	}
	op->next = NULL;
	*b->last = op;
	b->last = &op->next;
}

/* Tells all who wait: of the copy, of which each gets a reference, or of the error. */
static void
tell_all(struct backup *b, const struct err *e)
{
	struct store_op *op = b->first, *next;
	struct copy_block *copy = b->copy;

	b->first = NULL;
	b->last = &b->first;
	b->copy = NULL;
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
backup_work(struct backup *b, uint64_t spent_us)
{
	const uint64_t end_us = clock_monotonic_us() + spent_us / SHARE;
	struct err e = { 0 };

	if (!backup_runs(b))
		return;
	if (b->copy == NULL && (b->copy = copy_start(b, &e)) == NULL) {
		tell_all(b, &e);
		return;
	}
	do {
		if (b->backend->ops->copy_step(b->backend, &b->copy->copy.bytes, &e) < 0 || b->copy->copy.bytes > 0) {
			tell_all(b, &e);
			return;
		}
	} while (clock_monotonic_us() < end_us);
}

void
backup_abandon(struct backup *b)
{
	struct err e;

	if (!backup_runs(b))
		return;
	if (b->copy != NULL)
		b->backend->ops->copy_drop(b->backend);
	(void)err_set(&e, ERR_SHUTTING_DOWN, "the storage is closing");
	tell_all(b, &e);
}
