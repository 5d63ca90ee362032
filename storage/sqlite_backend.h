/* SPDX-License-Identifier: MIT */
/* What the files of the SQLite backend share: the backend itself. Its user is the store's thread alone. */
#pragma once

#include <sqlite3.h>

#include "storage/backend.h"
#include "storage/sqlite_copy.h"
#include "storage/sqlite_keys.h"
#include "storage/sqlite_place.h"
#include "storage/sqlite_statements.h"

struct sqlite_backend {
	struct backend backend; /* first */
	const struct identity_common *identities;
	sqlite3 *db;
	bool keeps_pages; /* changed pages stay in memory, however many they are */
	struct sqlite_place place;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	struct sqlite_keys keys;
	char *path;
	struct sqlite_copy copy;
};

static inline struct sqlite_backend *
sqlite_self(struct backend *b)
{
	return (struct sqlite_backend *)b;
}

static inline sqlite3_stmt *
sqlite_statement(struct backend *b, enum statement which)
{
	return sqlite_self(b)->statements[which];
}
