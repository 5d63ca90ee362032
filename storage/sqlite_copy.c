/* SPDX-License-Identifier: MIT */
/*
 * sqlite3_backup holds no lock between its steps. It also copies the pages that the source's own connection writes
 * (sqlite3BackupUpdate), so commits in between do not make it start again. Only a transaction that is rolled back after
 * a part of it reached the log does, which is rare.
 */
#include "storage/sqlite_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "storage/sqlite_backend.h"
#include "storage/sqlite_errors.h"
#include "storage/sqlite_schema.h"

/* A page takes about 5 µs. Training that arrives while the store is idle waits for one step at most. */
#define STEP_PAGES 8

/* The space that a copy leaves free on the disk, for the log of the running store. */
#define RESERVED_BYTES ((uint64_t)16 << 20)

/*
 * Nobody uses the copy before it is whole, and it is gone with its descriptor: it needs neither a journal nor flushes,
 * and only a small cache.
 */
#define CACHE_KIB 256

/* How much of what was copied may still be in that cache, with room to spare. */
#define UNWRITTEN_BYTES ((uint64_t)2 * CACHE_KIB << 10)

static int
disk_full(struct err *e)
{
	return err_fail(e, ERR_STORAGE_FULL, "the disk has no room for a copy of the store");
}

static int
system_failed(struct err *e)
{
	if (errno == ENOSPC || errno == EDQUOT)
		return disk_full(e);
	err_set(e, ERR_STORAGE_UNAVAILABLE, "the store cannot be copied: %s", strerror(errno));
	e->retry_after_s = 1;
	return -1;
}

/*
 * Opens the copy's file, once for SQLite and once for the readers, and removes its name. The name is always the same:
 * the next copy replaces the empty file that a kill between two of these lines leaves.
 */
static int
open_nameless(struct sqlite_copy *c, const char *path, struct err *e)
{
	char name[4096];
	int rc;

	if ((size_t)snprintf(name, sizeof(name), "%s-backup", path) >= sizeof(name))
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "the store's path is too long for a copy beside it");
	(void)unlink(name);
	c->descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (c->descriptor < 0)
		return system_failed(e);
	rc = sqlite3_open_v2(name, &c->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	(void)unlink(name);
	if (c->to == NULL)
		return err_fail_memory(e);
	return rc == SQLITE_OK ? 0 : sqlite_failed(c->to, "the store's copy", e);
}

static void
drop(struct sqlite_copy *c)
{
	if (c->backup != NULL)
		sqlite3_backup_finish(c->backup);
	sqlite3_close(c->to);
	*c = (struct sqlite_copy){ 0 };
}

int
sqlite_copy_start(struct backend *b, int *descriptor, struct err *e)
{
	struct sqlite_backend *self = sqlite_self(b);
	struct sqlite_copy *c = &self->copy;
	char settings[128];

	snprintf(settings, sizeof(settings), "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-%d",
	    CACHE_KIB);
	*c = (struct sqlite_copy){ .descriptor = -1 };
	if (sqlite_int(self->db, self->path, "PRAGMA page_size", &c->page_bytes, e) < 0 ||
	    open_nameless(c, self->path, e) < 0 || sqlite_run(c->to, settings, e) < 0)
		goto fail;
	c->backup = sqlite3_backup_init(c->to, "main", self->db, "main");
	*descriptor = c->descriptor;
	if (c->backup != NULL)
		return 0;
	(void)sqlite_failed(c->to, "the store's copy", e);
fail:
	if (c->descriptor >= 0)
		close(c->descriptor);
	drop(c);
	return -1;
}

/* Checks that there is room for the rest of the copy, beside what training needs. */
static int
check_room(const struct sqlite_copy *c, struct err *e)
{
	uint64_t rest_bytes = (uint64_t)sqlite3_backup_remaining(c->backup) * (uint64_t)c->page_bytes;
	struct statvfs disk;

	if (fstatvfs(c->descriptor, &disk) < 0)
		return system_failed(e);
	return (uint64_t)disk.f_bavail * disk.f_frsize >= rest_bytes + RESERVED_BYTES ? 0 : disk_full(e);
}

/* The copy is whole: closes it for SQLite, and lets it say that it has no log. */
static int
finish(struct sqlite_copy *c, struct copy_progress *progress, struct err *e)
{
	static const unsigned char no_log[2] = { 1, 1 };
	int descriptor = c->descriptor;
	struct stat st;

	drop(c); /* what SQLite has of it: the file is whole */
	if (pwrite(descriptor, no_log, sizeof(no_log), SQLITE_HEAD_JOURNAL_VERSION) != (ssize_t)sizeof(no_log) ||
	    fstat(descriptor, &st) < 0)
		return system_failed(e);
	*progress = (struct copy_progress){ .whole = true, .bytes = (uint64_t)st.st_size };
	return 0;
}

/* How much of the file is written while it is not whole. */
static uint64_t
written_bytes(const struct sqlite_copy *c)
{
	uint64_t copied = (uint64_t)(sqlite3_backup_pagecount(c->backup) - sqlite3_backup_remaining(c->backup)) *
	    (uint64_t)c->page_bytes;

	return copied > UNWRITTEN_BYTES ? copied - UNWRITTEN_BYTES : 0;
}

int
sqlite_copy_step(struct backend *b, struct copy_progress *progress, struct err *e)
{
	struct sqlite_copy *c = &sqlite_self(b)->copy;
	int rc, pages;

	if (check_room(c, e) < 0)
		goto fail;
	/* Two pages for each that the store has grown by: however fast it grows, the copy overtakes it. */
	rc = sqlite3_backup_step(c->backup, STEP_PAGES + 2 * c->grown_pages);
	if (rc == SQLITE_DONE)
		return finish(c, progress, e);
	if (rc != SQLITE_OK) {
		sqlite3_backup_finish(c->backup); /* moves the error to the connection */
		c->backup = NULL;
		(void)sqlite_failed(c->to, "the store's copy", e);
		goto fail;
	}
	pages = sqlite3_backup_pagecount(c->backup);
	c->grown_pages = c->source_pages > 0 && pages > c->source_pages ? pages - c->source_pages : 0;
	c->source_pages = pages;
	*progress = (struct copy_progress){ .bytes = written_bytes(c) };
	return 0;
fail:
	drop(c);
	return -1;
}

void
sqlite_copy_drop(struct backend *b)
{
	drop(&sqlite_self(b)->copy);
}
