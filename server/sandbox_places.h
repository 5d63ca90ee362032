/* SPDX-License-Identifier: MIT */
/* Which places of the file system normd needs once it has started. */
#pragma once

#include "server/config.h"
#include "server/sandbox_landlock.h"

#define SANDBOX_PLACES_MAX 32

struct sandbox_places {
	struct sandbox_place list[SANDBOX_PLACES_MAX];
	size_t count;
	bool connects; /* the store is reached by connections */
	int proc;      /* keeps /proc/self the same inode, on which a rule hangs; -1: none */
};

/*
 * Finds the places for this configuration. A file that is replaced while normd runs needs its directory, also that of
 * the file that a symbolic link leads to now. What normd cannot get to is left out.
 *
 * From here on SQLite's temporary files lie in SQLITE_TMPDIR, or beside the store: not in a folder that is shared with
 * other programs. So this is called with any sandbox, before the store is opened.
 */
void sandbox_places_find(struct sandbox_places *places, const struct config *config);

/*
 * The same for a command that reads `from` ("": nothing) and works on the store of this URL. If the store's folder is
 * not writable, SQLite's temporary files lie where SQLite puts them by itself.
 */
void sandbox_places_of_command(struct sandbox_places *places, const char *from, const char *store_url);

/* The same for a command that copies one store to another. */
void sandbox_places_of_copy(struct sandbox_places *places, const char *from_url, const char *to_url);

/* Whether Landlock can keep normd from other files. bad_parameter: a place is the root of all files. */
int sandbox_places_check(const struct sandbox_places *places, struct err *e) MUST_CHECK;
