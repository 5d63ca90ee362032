/* SPDX-License-Identifier: MIT */
/*
 * Work on a store's file while no daemon has it: checking it, and putting a backup into its place. For the command
 * line; a daemon never calls this. One thread.
 */
#pragma once

#include "storage/store.h"

/* How digests are computed. */
struct offline_digests {
	/* Of a state that `judge` allows. */
	void (*layer)(const void *parsed, const struct statistics *statistics, const double *weight, const double *bias,
	    unsigned char out[SHA256_BYTES]);
	/* Of a version, from those of its layers in the order of their names; in memory of so many bytes. */
	size_t version_bytes;
	void (*version_begin)(void *version);
	void (*version_add)(void *version, const char *layer, const unsigned char digest[SHA256_BYTES]);
	void (*version_end)(void *version, unsigned char out[SHA256_BYTES]);
};

/* How the caller takes part. */
struct offline_work {
	struct store_definition_ops definitions;
	const struct offline_digests *digests; /* NULL: the digests of versions are not compared */
	/* -1 with `e` unless the parsed definition allows these features (0: open) and parameters (0: the default). */
	int (*judge)(const void *parsed, size_t features, size_t weight_count, size_t bias_count, struct err *e);
	/* Called for every damage, with one line. */
	void (*found)(void *arg, const char *damage);
	/* Called often with the progress; `what` is a constant text. */
	void (*progress)(void *arg, const char *what, uint64_t done, uint64_t total);
	void *arg;
};

struct offline_report {
	uint64_t models, layers, versions;
	uint64_t damages;
};

/*
 * Reads the whole store, with any log that a kill has left, and checks it against what normd requires. Changes nothing.
 * -1 with `e` if it could not be checked: it does not exist, is in use, is not a store, is from a newer version, ...
 */
int store_check(const char *url, const struct offline_work *u, struct offline_report *report, struct err *e) MUST_CHECK;

/*
 * Copies a store that no daemon has into one that is empty, or does not exist yet: from SQLite to PostgreSQL, or back,
 * or between two of a kind. Killed at any moment, it goes on where it was when it is called again; until it has ended,
 * no daemon opens the copy. In the end the digests of all layers and versions are computed from both and compared; the
 * report counts them. `from` is only read. -1 with `e`: the copy is not whole.
 */
int store_migrate(const char *from, const char *to, const struct offline_work *u, struct offline_report *report,
    struct err *e) MUST_CHECK;

/*
 * Checks the file `from` in the same way, and makes a store of it where none exists yet. Killed at any moment, it
 * leaves no store or all of it; a file PATH-restore may be left, which the next call removes. `from` is only read. -1
 * with `e`: there is no store; also if report->damages says that `from` is damaged.
 */
int store_restore(const char *from, const char *url, const struct offline_work *u, struct offline_report *report,
    struct err *e) MUST_CHECK;
