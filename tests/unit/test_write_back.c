/* SPDX-License-Identifier: MIT */
/*
 * A copy that grows is written to the disk meanwhile: little by little, by a thread of its own, never far behind. The
 * store is a made-up one, and so is the disk: its write_back_piece takes the place of the real one when this is linked.
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "storage/copies.h"
#include "storage/write_back.h"

#define COPY_BYTES ((uint64_t)40 << 20)
#define STEP_BYTES ((uint64_t)64 << 10)

/* So far ahead of the disk a copy may be: what waits, the piece that is being written, and a step. */
#define AHEAD_MOST (16 * WRITE_BACK_BYTES + STEP_BYTES)

static uint64_t grown;
static _Atomic uint64_t on_disk;
static atomic_bool was_open = true, was_gentle;
static sem_t begun, may_end;

uint64_t
write_back_piece(int descriptor, uint64_t from, uint64_t to, bool gently)
{
	const uint64_t bytes = to - from < WRITE_BACK_BYTES ? to - from : WRITE_BACK_BYTES;

	was_gentle = gently;
	sem_post(&begun);
	sem_wait(&may_end);
	if (fcntl(descriptor, F_GETFD) == -1)
		was_open = false;
	ck_assert_uint_eq(from, on_disk);
	on_disk = from + bytes;
	return from + bytes;
}

static int
copy_start(struct backend *b, int *descriptor, struct err *e)
{
	(void)b, (void)e;
	grown = 0;
	on_disk = 0;
	*descriptor = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(*descriptor, 0);
	return 0;
}

static int
copy_step(struct backend *b, struct copy_progress *progress, struct err *e)
{
	(void)b, (void)e;
	grown += STEP_BYTES;
	*progress = (struct copy_progress){ .whole = grown == COPY_BYTES, .bytes = grown };
	return 0;
}

static void
copy_drop(struct backend *b)
{
	(void)b;
}

static const struct backend_ops ops = { .copy_start = copy_start, .copy_step = copy_step, .copy_drop = copy_drop };
static struct backend backend = { .ops = &ops };
static bool told;

static void
done(struct store_op *op)
{
	(void)op;
	told = true;
}

static void
start(struct copies *b, struct store_op *op)
{
	struct err e = { 0 };

	told = false;
	grown = 0;
	sem_init(&begun, 0, 0);
	sem_init(&may_end, 0, 0);
	*op = (struct store_op){ .kind = STORE_BACKUP, .done = done };
	ck_assert_int_eq(copies_start(b, &backend, &e), 0);
	copies_ask(b, op);
}

static void
stop(struct copies *b)
{
	copies_stop(b);
	sem_destroy(&begun);
	sem_destroy(&may_end);
}

START_TEST(a_copy_is_never_far_ahead_of_the_disk)
{
	struct store_op op;
	struct copies b;
	uint64_t busy_us;

	start(&b, &op);
	busy_us = copies_pause_us(&b);
	while (grown < WRITE_BACK_BYTES)
		copies_work(&b, 1000);
	sem_wait(&begun);
	for (;;) {
		for (int i = 0; i < 200 && !told; i++)
			copies_work(&b, 1000);
		ck_assert_uint_le(grown, on_disk + AHEAD_MOST);
		if (told)
			break;
		ck_assert_uint_gt(grown, on_disk + 16 * WRITE_BACK_BYTES);
		ck_assert_uint_gt(copies_pause_us(&b), busy_us);
		sem_post(&may_end);
		sem_wait(&begun); /* the next piece; so this one counts */
	}
	ck_assert_int_eq(op.err.code, ERR_NONE);
	ck_assert_uint_eq(op.copy->bytes, COPY_BYTES);
	for (int i = 0; i < 100; i++)
		sem_post(&may_end);
	store_op_fini(&op);
	stop(&b);
}
END_TEST

START_TEST(a_copy_can_be_given_up_while_it_is_written)
{
	struct store_op op;
	struct copies b;

	start(&b, &op);
	while (grown < 2 * WRITE_BACK_BYTES)
		copies_work(&b, 0);
	sem_wait(&begun);
	copies_abandon(&b); /* waits for nobody */
	ck_assert(told);
	ck_assert_int_eq(op.err.code, ERR_SHUTTING_DOWN);
	sem_post(&may_end);
	store_op_fini(&op);
	stop(&b);
	ck_assert_msg(was_open, "the file was closed under the thread that writes it");
}
END_TEST

START_TEST(only_a_busy_store_is_spared)
{
	struct store_op op;
	struct copies b;

	for (int busy = 0; busy < 2; busy++) {
		start(&b, &op);
		while (grown < 2 * WRITE_BACK_BYTES)
			copies_work(&b, busy ? 1000 : 0);
		sem_wait(&begun);
		ck_assert_int_eq(was_gentle, busy);
		copies_abandon(&b);
		sem_post(&may_end);
		store_op_fini(&op);
		stop(&b);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("write_back");
	TCase *t = tcase_create("write_back");

	tcase_add_test(t, a_copy_is_never_far_ahead_of_the_disk);
	tcase_add_test(t, a_copy_can_be_given_up_while_it_is_written);
	tcase_add_test(t, only_a_busy_store_is_spared);
	suite_add_tcase(s, t);
	return s;
}
