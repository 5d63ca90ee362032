/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_errors.h"

#include <errno.h>
#include <string.h>

#include "storage/sqlite_file.h"

int
sqlite_failed(sqlite3 *db, const char *what, struct err *e)
{
	int rc = sqlite3_errcode(db) & 0xff;
	int os = sqlite3_system_errno(db);

	if (rc == SQLITE_NOMEM || sqlite3_extended_errcode(db) == SQLITE_IOERR_NOMEM)
		return err_fail_memory(e);
	if (rc == SQLITE_FULL || (rc == SQLITE_IOERR && (os == ENOSPC || os == EDQUOT)))
		return err_fail(e, ERR_STORAGE_FULL, "%s: the disk is full", what);
	err_set(e, ERR_STORAGE_UNAVAILABLE, "%s: %s", what, sqlite3_errmsg(db));
	e->retry_after_s = 1;
	return -1;
}

int
sqlite_run(sqlite3 *db, const char *sql, struct err *e)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sqlite_failed(db, "the database", e);
}

int
sqlite_refuse_readonly(const char *path, struct err *e)
{
	return err_fail(e, ERR_STORAGE_UNAVAILABLE,
	    "%s cannot be written: the daemon's user needs write permission for the file and its folder", path);
}

/* Why a file could not be opened. SQLite itself has one message for all of it. */
static int
refuse_to_open(sqlite3 *db, const char *path, struct err *e)
{
	int os = sqlite3_system_errno(db);

	if (sqlite_file_check_folder(path, e) < 0)
		return -1;
	if (os == ENOENT) /* SQLite's second try, to read what it may not make */
		return sqlite_refuse_readonly(path, e);
	return err_fail(e, ERR_STORAGE_UNAVAILABLE,
	    "%s cannot be opened: %s; the daemon's user needs read and write permission for the file, the -wal beside "
	    "it and the folder",
	    path, os == 0 ? sqlite3_errmsg(db) : strerror(os));
}

int
sqlite_refuse(sqlite3 *db, const char *path, struct err *e)
{
	switch (sqlite3_errcode(db) & 0xff) {
	case SQLITE_CANTOPEN:
		return refuse_to_open(db, path, e);
	case SQLITE_BUSY:
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s is in use by another process: stop that first", path);
	case SQLITE_READONLY:
		return sqlite_refuse_readonly(path, e);
	case SQLITE_NOTADB:
		return err_fail(e, ERR_STORAGE_UNAVAILABLE,
		    "%s is not an SQLite database: name another file, or restore a backup if it was one", path);
	case SQLITE_CORRUPT:
		return err_fail(
		    e, ERR_STORAGE_UNAVAILABLE, "%s is damaged: %s; restore a backup", path, sqlite3_errmsg(db));
	default:
		return sqlite_failed(db, path, e);
	}
}

int
sqlite_int(sqlite3 *db, const char *path, const char *sql, int *out, struct err *e)
{
	sqlite3_stmt *stmt = NULL;
	int result = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		*out = sqlite3_column_int(stmt, 0);
		result = 0;
	} else {
		(void)sqlite_refuse(db, path, e);
	}
	sqlite3_finalize(stmt);
	return result;
}
