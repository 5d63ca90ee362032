/* SPDX-License-Identifier: MIT */
/*
 * normd whose updates are late: linked with --wrap=store_submit. Once LATE_STORE names a file, an update says on
 * standard error that it was asked for, and goes to the store when there is such a file: a test can act in between.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/store.h"

#define LOOK_US 1000
#define LOOKS_MAX 60000

int __real_store_submit(struct store *s, struct store_op *op, struct err *e);
int __wrap_store_submit(struct store *s, struct store_op *op, struct err *e);

int
__wrap_store_submit(struct store *s, struct store_op *op, struct err *e)
{
	const char *file = getenv("LATE_STORE");

	if (op->kind == STORE_CHANGE && op->change.writes->kind == STORE_UPDATE && file != NULL) {
		fputs("an update was asked for\n", stderr);
		for (unsigned looks = 0; access(file, F_OK) != 0 && looks < LOOKS_MAX; looks++)
			usleep(LOOK_US);
	}
	return __real_store_submit(s, op, e);
}
