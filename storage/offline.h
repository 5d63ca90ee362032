/* SPDX-License-Identifier: MIT */
/*
 * Work on a store's file while no daemon has it: checking it, and putting a backup into its place. For the command
 * line; a daemon never calls this. One thread.
 */
#ifndef STORAGE_OFFLINE_H
#define STORAGE_OFFLINE_H

#include "storage/store.h"

/* Who wants it done. */
struct offline_work {
	struct store_definition_ops definitions;
	/*
	 * Whether the definition (as parsed) allows so many features (0: not fixed yet) and parameters of these lengths
	 * (0: the default); else
	 * -1 with `e`.
	 */
	int (*judge)(const void *parsed, size_t features, size_t weight_count, size_t bias_count, struct err *e);
	/* Is told every damage, a line each. */
	void (*found)(void *arg, const char *damage);
	/* Is told often how far it is; `what` is a constant text. */
	void (*progress)(void *arg, const char *what, uint64_t done, uint64_t total);
	void *arg;
};

struct offline_report {
	uint64_t models, layers;
	uint64_t damages;
};

/*
 * Reads all of the store and holds it against what normd requires. Changes nothing, also not a log that a kill has
 * left, which is read with it. -1 with `e` when it could not be checked: it is not there, in use, not a store, from a
 * newer version, ...
 */
int store_check(const char *url, const struct offline_work *u, struct offline_report *report, struct err *e) MUST_CHECK;

/*
 * Checks the file `from` as above, and makes a store of it where there is none yet. Killed at any moment, there is
 * either no store or all of it; a file PATH-restore may be left, which the next call removes. `from` is only read. -1
 * with `e`: there is no store; also when report->damages says that `from` is damaged.
 */
int store_restore(const char *from, const char *url, const struct offline_work *u, struct offline_report *report,
    struct err *e) MUST_CHECK;

#endif
