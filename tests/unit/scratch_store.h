/* SPDX-License-Identifier: MIT */
/*
 * A store in a folder of its own, for tests of what is behind the store's door: made before each test, removed after
 * it. With NORMD_TEST_STORE=postgresql it is a schema of the program's own in the database that libpq's environment
 * names (pg_virtualenv sets it), emptied before each test; tests that look into SQLite's file are left out then.
 * Operations are of model "m" and layer "l" where nothing else is said.
 */
#pragma once

#include <check.h>

#include "storage/store.h"

#define SCRATCH_QUEUE_MAX ((size_t)10000)

/* The folder, and the database in it, as a path and as the store's URL; of PostgreSQL the URL alone is of the store. */
extern char scratch_directory[], scratch_path[], scratch_url[];

/* Adds a test that looks into SQLite's file, or needs what only SQLite has, unless the store is PostgreSQL's. */
void scratch_add_of_sqlite(TCase *tc, const TTest *test);
bool scratch_is_postgresql(void);
/* How many of so many rounds by chance there are: a third with PostgreSQL, where each takes longer. */
int scratch_rounds(int rounds);

/* The fixture. The folder must hold nothing but the database and what the test has removed. */
void scratch_setup(void);
void scratch_teardown(void);

/*
 * Opens it; what is no argument is as SCRATCH_QUEUE_MAX and plain definitions (opaque.h) have it. It must be closed by
 * store_close.
 */
struct store *scratch_open(void);
struct store *scratch_open_with(size_t queue_max, unsigned key_lifetime_s);
struct store *scratch_open_keys(size_t queue_max, unsigned key_lifetime_s, uint64_t keys_max);
struct store *scratch_open_history(unsigned interval_s);
struct store *scratch_open_options(struct store_options options);
struct store *scratch_open_cache(struct store_options options, size_t cache_bytes);

/* Submits an operation, whose end scratch_wait waits for, unless it has a `done` of its own. */
void scratch_submit(struct store *s, struct store_op *op);

/* A change of one write. */
struct scratch_change {
	struct store_op op;
	struct store_write write;
};

/* Submits it likewise: its kind, and that it is one write, need not be set. */
void scratch_submit_change(struct store *s, struct scratch_change *c);

/* Until `count` operations more are done. */
void scratch_wait(unsigned count);

/* Submits it and waits; the operation as it is then. */
struct store_op scratch_run(struct store *s, struct store_op op);
struct scratch_change scratch_run_change(struct store *s, struct scratch_change c);

/* Runs a write, which must succeed; what it came to. */
struct store_written scratch_write(struct store *s, struct store_write write);

/* Creates a layer that is not there. */
void scratch_create(struct store *s, const char *layer);

/* Makes a version of model "m"; its number. */
uint64_t scratch_make_version(struct store *s);

/* The layer's committed state, with a reference for the caller; NULL where there is none. */
const struct snapshot *scratch_layer(struct store *s, const char *layer);

/* SQL on the store, which is closed: changes it; the whole number in the first column of a query's first row. */
void scratch_alter(const char *sql);
int scratch_ask(const char *sql);

/*
 * Of PostgreSQL: opens it again after such a time that pins which were dropped, or left behind, are forgotten by the
 * next chores.
 */
struct store *scratch_pass_time(struct store *s);

/* How many damages `normd check` would find in the store, which is closed; and which, a line each. PostgreSQL: 0. */
uint64_t scratch_check(void);
extern char scratch_found[];
