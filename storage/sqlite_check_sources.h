/* SPDX-License-Identifier: MIT */
/*
 * Whether the rows of sources are sound: each for itself, and that together they give the statistics of their layer to
 * the bit.
 */
#pragma once

#include <sqlite3.h>

#include "base/err.h"
#include "storage/sources.h"

/* All layers with sources, one row for each source; sources_check_row takes them in this order. */
extern const char sources_check_sql[];

/* Set `found` and `arg`, and zero the rest. */
struct sources_check {
	void (*found)(void *arg, const char *damage);
	void *arg;
	bool no_memory;
	bool damaged; /* the layer at hand: its pool means nothing */
	int64_t layer_id;
	char model[STORE_NAME_MAX + 1], layer[STORE_NAME_MAX + 1];
	int64_t expected;     /* how many sources the layer says that it has */
	bool trained;         /* whether it has statistics */
	struct source *state; /* these statistics */
	struct sources *tree;
};

void sources_check_row(struct sources_check *c, sqlite3_stmt *row);

/* After the last row, and also if reading them failed. */
int sources_check_end(struct sources_check *c, struct err *e) MUST_CHECK;
