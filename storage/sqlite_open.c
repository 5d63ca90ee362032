/* SPDX-License-Identifier: MIT */
/*
 * One connection, exclusive: SQLite before 3.51.3 can corrupt a WAL database when one connection checkpoints while
 * another commits and resets the WAL. With locking_mode=EXCLUSIVE set before the file is first touched there is no
 * second connection, no shared-memory file, and a second daemon on the same file is refused.
 *
 * synchronous=FULL: the WAL is flushed at every commit. NORMAL would lose acknowledged commits at a power cut.
 */
#include "storage/sqlite_open.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "storage/sqlite_errors.h"
#include "storage/sqlite_file.h"
#include "storage/sqlite_schema.h"
#include "storage/sqlite_url.h"

/* Files up to this size are checked after an unclean end: a slow disk reads them in a second. */
#define CHECKED_BYTES_MAX ((off_t)64 << 20)

/* Steps of SQLite's machine between two calls of the opener's progress: less than a millisecond. */
#define PROGRESS_STEPS 10000

/* Setting it to its own value writes the first page all the same. */
int
sqlite_write_again(sqlite3 *db, struct err *e)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA application_id=%d", SQLITE_APPLICATION_ID);
	return sqlite_run(db, sql, e);
}

static int
run(sqlite3 *db, const char *path, const char *sql, struct err *e)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sqlite_refuse(db, path, e);
}

int
sqlite_lock(sqlite3 *db, const char *path, struct err *e)
{
	if (sqlite3_db_readonly(db, "main") == 1)
		return sqlite_refuse_readonly(path, e);
	return run(db, path, "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT", e);
}

/* The file's size. By stat: closing a descriptor of the database would drop the process's locks of it. */
static off_t
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : st.st_size;
}

/*
 * A WAL with contents before we first read: the last owner did not close it. If its last flush failed, the kernel may
 * hold pages of it that count as clean and are not on the disk, and no later flush would write them: they are dropped,
 * so that recovery finds what the disk has. (Pages that wait to be written stay.)
 */
static bool
was_left_open(sqlite3 *db)
{
	const char *wal = sqlite3_filename_wal(sqlite3_db_filename(db, "main"));
	sqlite3_vfs *vfs = NULL;
	int has_contents = 0, fd;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_VFS_POINTER, &vfs) != SQLITE_OK ||
	    vfs->xAccess(vfs, wal, SQLITE_ACCESS_EXISTS, &has_contents) != SQLITE_OK || !has_contents)
		return false;
	fd = open(wal, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		close(fd);
	}
	return true;
}

/*
 * What recovery found may wait in the kernel's memory still. A checkpoint flushes it, before anybody reads it, so that
 * no power cut takes back what was read; and the log does not grow from kill to kill. Where the database has no room
 * for it, the flush is done all the same, and the rest can wait.
 */
static int
settle_recovered(sqlite3 *db, const char *path, struct err *e)
{
	int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) & 0xff;

	return rc == SQLITE_OK || rc == SQLITE_FULL ? 0 : sqlite_failed(db, path, e);
}

/* What quick_check found, in one line: a heading may stand before it. */
static int
refuse_damage(const char *path, const char *found, struct err *e)
{
	const char *last;

	if (found == NULL)
		return err_fail_memory(e);
	last = strrchr(found, '\n');
	return err_fail(
	    e, ERR_STORAGE_UNAVAILABLE, "%s is damaged: %s; restore a backup", path, last == NULL ? found : last + 1);
}

static int
quick_check(sqlite3 *db, const char *path, struct err *e)
{
	sqlite3_stmt *stmt = NULL;
	const char *found;
	int result;

	if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW) {
		found = (const char *)sqlite3_column_text(stmt, 0);
		result = found != NULL && strcmp(found, "ok") == 0 ? 0 : refuse_damage(path, found, e);
	} else {
		result = sqlite_refuse(db, path, e);
	}
	sqlite3_finalize(stmt);
	return result;
}

/*
 * After an unclean end the whole file is looked at before anybody is served from it, unless that would take too long: a
 * large one starts at once, for what is committed is safe by the WAL's checksums, and a page that is damaged all the
 * same is refused when it is read.
 */
static int
check_unclean(sqlite3 *db, const char *path, struct err *e)
{
	if (size_of(path) <= CHECKED_BYTES_MAX)
		return quick_check(db, path, e);
	log_printf(LOG_WARN, "%s was not closed cleanly and is too large to check at startup: run normd check", path);
	return 0;
}

/* Whether the file exists and its head says that it is a store in WAL mode, as every store is soon after it is made. */
static bool
is_ours_with_wal(const char *path)
{
	unsigned char head[SQLITE_HEAD_BYTES] = { 0 };
	FILE *file = fopen(path, "re");
	uint32_t id;
	bool whole;

	if (file == NULL)
		return false;
	whole = fread(head, sizeof(head), 1, file) == 1;
	fclose(file);
	memcpy(&id, head + SQLITE_HEAD_APPLICATION_ID, sizeof(id));
	return whole && head[SQLITE_HEAD_JOURNAL_VERSION] == 2 && be32toh(id) == SQLITE_APPLICATION_ID;
}

/*
 * SQLite rolls back any journal that it finds beside a file. A store in WAL mode never has one. (Called before the
 * connection is opened: closing another descriptor of the file later would drop its locks.)
 */
static int
check_journal(const char *path, struct err *e)
{
	char journal[4096];

	if ((size_t)snprintf(journal, sizeof(journal), "%s-journal", path) >= sizeof(journal) ||
	    size_of(journal) <= 0 || !is_ours_with_wal(path))
		return 0;
	return err_fail(e, ERR_STORAGE_UNAVAILABLE,
	    "%s-journal does not belong to this store, and SQLite would change the store by it: move it away", path);
}

/*
 * secure_delete: Debian's SQLite overwrites with zeros, in the log and then in the file, whatever is deleted. That
 * takes ten times as long, and as much of a disk that is full as the deletion should free. FAST overwrites in pages
 * that are written anyway, names among them.
 */
static const char settings[] = "PRAGMA journal_mode=WAL;"
			       "PRAGMA synchronous=FULL;"
			       "PRAGMA foreign_keys=ON;"
			       "PRAGMA trusted_schema=OFF;"
			       "PRAGMA cell_size_check=ON;"
			       "PRAGMA mmap_size=0;"
			       "PRAGMA secure_delete=FAST;"
			       "PRAGMA journal_size_limit=67108864";

/* On SQLite's behalf, within a statement that takes long: it goes on. */
static int
get_on(void *arg)
{
	const struct store_opening *opening = arg;

	opening->progress(opening->arg);
	return 0;
}

/* A new file is for its owner alone, as statistics may be private. SQLite gives its other files the same mode. */
static int
open_private(const char *path, sqlite3 **db)
{
	const mode_t before = umask(S_IRWXG | S_IRWXO);
	const int rc =
	    sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

	(void)umask(before);
	return rc;
}

sqlite3 *
sqlite_open(const char *path, const struct store_opening *opening, struct err *e)
{
	struct store_opening told = { 0 };
	bool left_open = false;
	int version;
	sqlite3 *db = NULL;

	if (opening != NULL)
		told = *opening;
	if (sqlite_file_check_kind(path, e) < 0 || check_journal(path, e) < 0)
		return NULL;
	if (open_private(path, &db) != SQLITE_OK) {
		(void)(db == NULL ? err_fail_memory(e) : sqlite_refuse(db, path, e));
		goto fail;
	}
	if (told.progress != NULL)
		sqlite3_progress_handler(db, PROGRESS_STEPS, get_on, &told);
	left_open = was_left_open(db);
	if (sqlite_lock(db, path, e) < 0 || sqlite_check_owner(db, path, &version, e) < 0 ||
	    run(db, path, settings, e) < 0 ||
	    (left_open && (check_unclean(db, path, e) < 0 || settle_recovered(db, path, e) < 0)) ||
	    sqlite_migrate(db, version, e) < 0)
		goto fail;
	sqlite3_progress_handler(db, 0, NULL, NULL);
	sqlite_url_warn_volatile(path);
	return db;
fail:
	/* A close would write the WAL back into a file that was just refused; and that WAL may be another file's. */
	if (db != NULL && left_open)
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_close(db);
	return NULL;
}
