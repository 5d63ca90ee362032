/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "storage/sqlite_errors.h"
#include "storage/sqlite_open.h"
#include "storage/sqlite_schema.h"

/* The bytes on which SQLite's readers hold a lock (sqlite.org/lockingv3.html). */
#define SHARED_LOCK_START 0x40000002
#define SHARED_LOCK_BYTES 510

/* What reading a file asks for that may have been damaged. */
static const char settings[] = "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0";

/* NULL with `e`. */
static sqlite3 *
open_file(const char *name, const char *path, int flags, struct err *e)
{
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(name, &db, flags | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK)
		return db;
	err_set(
	    e, ERR_STORAGE_UNAVAILABLE, "%s cannot be opened: %s", path, db == NULL ? "no memory" : sqlite3_errmsg(db));
	sqlite3_close(db);
	return NULL;
}

/* That there is a store: SQLite takes an empty file for a database. */
static int
check_made(sqlite3 *db, const char *path, struct err *e)
{
	int version;

	if (sqlite_check_owner(db, path, &version, e) < 0 || sqlite_run(db, settings, e) < 0)
		return -1;
	return version > 0 ? 0 : err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s is empty: it contains no store", path);
}

static int
check_is_file(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s cannot be opened: %s", path, strerror(errno));
	return S_ISREG(st.st_mode) ? 0 : err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s is not a file", path);
}

/* Whether there is a file PATH-wal, or -journal, with something in it. */
static bool
has_log(const char *path)
{
	static const char *const ends[] = { "-wal", "-journal" };
	char name[4096];
	struct stat st;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if ((size_t)snprintf(name, sizeof(name), "%s%s", path, ends[i]) < sizeof(name) &&
		    stat(name, &st) == 0 && st.st_size > 0)
			return true;
	return false;
}

int
sqlite_read_hold(const char *path, struct err *e)
{
	struct flock lock = {
		.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = SHARED_LOCK_START, .l_len = SHARED_LOCK_BYTES
	};
	int fd;

	if (check_is_file(path, e) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s cannot be opened: %s", path, strerror(errno));
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
		err_set(e, ERR_STORAGE_UNAVAILABLE, "%s is in use by another process", path);
	else if (has_log(path))
		err_set(e, ERR_STORAGE_UNAVAILABLE,
		    "%s has a log beside it (-wal or -journal), whose changes would be missing: start normd on it and "
		    "stop it, then there is one file",
		    path);
	else
		return fd;
	close(fd);
	return -1;
}

sqlite3 *
sqlite_read_open(const char *path, struct err *e)
{
	bool left_open = has_log(path);
	sqlite3 *db;

	if (check_is_file(path, e) < 0 || (db = open_file(path, path, SQLITE_OPEN_READWRITE, e)) == NULL)
		return NULL;
	/* Without a log closing has nothing to write, and takes away the empty one that opening makes. */
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, left_open, NULL);
	if (sqlite_lock(db, path, e) == 0 && check_made(db, path, e) == 0)
		return db;
	sqlite3_close(db);
	return NULL;
}

/* The path as an SQLite URI, which alone can say that a file does not change. */
static void
format_uri(struct buf *out, const char *path)
{
	buf_printf(out, "file:%s", path[0] == '/' ? "//" : "");
	for (; *path != '\0'; path++)
		buf_printf(out, strchr("?#%", *path) == NULL ? "%c" : "%%%02x", (unsigned char)*path);
	buf_text(out, "?immutable=1");
	buf_byte(out, '\0');
}

sqlite3 *
sqlite_read_open_frozen(const char *path, struct err *e)
{
	sqlite3 *db = NULL;
	struct buf uri;

	buf_init(&uri, 65536);
	format_uri(&uri, path);
	if (uri.failed)
		err_set_memory(e);
	else if (check_is_file(path, e) == 0)
		db = open_file(uri.bytes, path, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, e);
	buf_fini(&uri);
	if (db == NULL)
		return NULL;
	if (check_made(db, path, e) == 0)
		return db;
	sqlite3_close(db);
	return NULL;
}
