/* SPDX-License-Identifier: MIT */
/*
 * normd some of whose operations are late: linked with --wrap=store_submit. Once LATE_STORE names a file, such an
 * operation says on standard error that it was asked for, and goes to the store when there is such a file: a test can
 * act in between. LATE_STORE_AT says which are late; without it, updates.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage/store.h"

#define LOOK_US 1000
#define LOOKS_MAX 60000

int __real_store_submit(struct store *s, struct store_op *op, struct err *e);
int __wrap_store_submit(struct store *s, struct store_op *op, struct err *e);

static const struct {
	const char *name;
	enum store_op_kind op;
	enum store_write_kind write; /* of a change */
} late[] = {
	{ "update", STORE_CHANGE, STORE_UPDATE },
	{ "pin", STORE_CHANGE, STORE_PIN },
	{ "states", STORE_STATES_GET, 0 },
	{ "version", STORE_CHANGE, STORE_VERSION_MAKE },
};

static bool
is_late(const struct store_op *op)
{
	const char *at = getenv("LATE_STORE_AT");

	for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++)
		if (strcmp(late[i].name, at != NULL ? at : "update") == 0)
			return op->kind == late[i].op &&
			    (op->kind != STORE_CHANGE || op->change.writes->kind == late[i].write);
	abort();
}

int
__wrap_store_submit(struct store *s, struct store_op *op, struct err *e)
{
	const char *file = getenv("LATE_STORE");

	if (file != NULL && is_late(op)) {
		fputs("a late operation was asked for\n", stderr);
		for (unsigned looks = 0; access(file, F_OK) != 0 && looks < LOOKS_MAX; looks++)
			usleep(LOOK_US);
	}
	return __real_store_submit(s, op, e);
}
