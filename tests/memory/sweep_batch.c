/* SPDX-License-Identifier: MIT */
/*
 * Several operations in one transaction: the store is held up until all of them wait. Whichever allocation of theirs
 * fails, each is done if that is what was answered, and none of the others is. Among them a reset that overtakes the
 * update which fixes its layer's features: alone of all it may end without an answer though it is done, for it learns
 * only then how large its answer is.
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/memory/service.h"
#include "tests/memory/sweeps.h"
#include "tests/memory/trial.h"

enum { DELETE_MODEL, CREATE, TRAIN, TRAIN_FIRST, RESET, DELETE, TRAIN_AGAIN, ASK_COUNT };

#define PATH(layer) MODEL "/layers/" layer
#define BATCH_NORM "{\"kind\":\"batch_norm\"}"
#define DATA "{\"data\":[[1,20],[3,40],[5,60]]}"

#define OTHER_MODEL "/v1/models/other"

static const struct message made[] = { { "DELETE", MODEL, NULL, NULL, 0 },
	{ "PUT", OTHER_MODEL "/layers/l", NULL, BATCH_NORM, 0 }, { "PUT", PATH("old"), NULL, BATCH_NORM, 0 },
	{ "PUT", PATH("open"), NULL, BATCH_NORM, 0 }, { "PUT", PATH("gone"), NULL, BATCH_NORM, 0 },
	{ "POST", PATH("old/train"), NULL, DATA, 0 } };

static const struct message asked[ASK_COUNT] = {
	[DELETE_MODEL] = { "DELETE", OTHER_MODEL, NULL, NULL, 0 },
	[CREATE] = { "PUT", PATH("new"), NULL, BATCH_NORM, sizeof(BATCH_NORM) - 1 },
	[TRAIN] = { "POST", PATH("old/train"), NULL, DATA, sizeof(DATA) - 1 },
	[TRAIN_FIRST] = { "POST", PATH("open/train"), NULL, DATA, sizeof(DATA) - 1 },
	[RESET] = { "DELETE", PATH("open/statistics"), NULL, NULL, 0 },
	[DELETE] = { "DELETE", PATH("gone"), NULL, NULL, 0 },
	[TRAIN_AGAIN] = { "POST", PATH("old/train"), NULL, DATA, sizeof(DATA) - 1 },
};

static sem_t held, go;
static struct answered answer;

/* On the store's thread, which has to wait for once. */
static void
hold(struct store_op *op)
{
	(void)op;
	sem_post(&held);
	sem_wait(&go);
}

static void
send_all(int fds[ASK_COUNT])
{
	unsigned long active;

	for (size_t i = 0; i < ASK_COUNT; i++) {
		fds[i] = client_connect(service.port);
		must(fds[i] >= 0, "no connection");
		client_send(fds[i], &asked[i]);
		do {
			usleep(100);
			active = atomic_load(&service.active);
		} while (active <= i);
	}
	usleep(500); /* so that the last one has come to wait for the store, too */
}

/* Whether each was done, as was answered. */
static void
read_all(int fds[ASK_COUNT], bool done[ASK_COUNT], bool *reset_unknown)
{
	for (size_t i = 0; i < ASK_COUNT; i++) {
		client_read(fds[i], &asked[i], &answer);
		close(fds[i]);
		done[i] = answer.complete && answer.status < 300;
		if (i == RESET)
			*reset_unknown = !answer.complete;
		if (answer.complete ? !done[i] && answer.status != 503 : i != RESET)
			trial_complain(asked[i].target, answer.bytes);
	}
}

/* The layer's revision; -1 where there is no such layer. */
static long
revision_of(const char *target)
{
	service_ask(&(struct message){ "GET", target, NULL, NULL, 0 }, &answer);
	return answer.status == 404 ? -1 : strtol(answered_value(&answer, "\r\nNormd-Revision: "), NULL, 10);
}

static void
check(const char *target, long least, long most)
{
	long revision = revision_of(target);
	char text[96];

	snprintf(text, sizeof(text), "revision %ld, not %ld to %ld", revision, least, most);
	if (revision < least || revision > most)
		trial_complain(target, text);
}

static void
try_batch(void)
{
	struct store_op holding = { .kind = STORE_MODEL_LIST, .list.limit = 1, .done = hold };
	bool done[ASK_COUNT], reset_unknown = false;
	int fds[ASK_COUNT];
	struct err e;

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		service_ask(&made[i], &answer);
	must(store_submit(service.store, &holding, &e) == 0, "store_submit");
	sem_wait(&held);
	send_all(fds);
	trial_arm();
	sem_post(&go);
	service_wait_idle();
	trial_disarm();
	store_op_fini(&holding);
	read_all(fds, done, &reset_unknown);
	check(OTHER_MODEL "/layers/l", done[DELETE_MODEL] ? -1 : 0, done[DELETE_MODEL] ? -1 : 0);
	check(PATH("new"), done[CREATE] ? 0 : -1, done[CREATE] ? 0 : -1);
	check(PATH("old"), 1 + done[TRAIN] + done[TRAIN_AGAIN], 1 + done[TRAIN] + done[TRAIN_AGAIN]);
	check(PATH("open"), done[TRAIN_FIRST] + done[RESET], done[TRAIN_FIRST] + done[RESET] + reset_unknown);
	check(PATH("gone"), done[DELETE] ? -1 : 0, done[DELETE] ? -1 : 0);
}

void
sweep_batch(void)
{
	sem_init(&held, 0, 0);
	sem_init(&go, 0, 0);
	trial_begin("a batch");
	trial_sweep(FAULT_ONCE, FAULT_OURS);
	while (trial_next())
		try_batch();
	trial_sweep(FAULT_FROM_THEN_ON, FAULT_OURS);
	while (trial_next())
		try_batch();
	trial_end();
	sem_destroy(&held);
	sem_destroy(&go);
}
