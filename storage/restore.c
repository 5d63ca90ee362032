/* SPDX-License-Identifier: MIT */
/*
 * Puts a backup into a store's place. The new file gets the store's name only when it is whole and flushed, by link(2),
 * which never replaces a file. It is linked by its descriptor, so a second restore that removes PATH-restore as a
 * leftover makes this one fail, and does no other harm.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/sqlite_check.h"
#include "storage/sqlite_read.h"
#include "storage/sqlite_url.h"

#define BLOCK_BYTES ((size_t)1 << 20)

struct restore {
	const char *from;
	const char *path;
	char unfinished[4096]; /* PATH-restore */
	int in, out;
	uint64_t bytes;
};

static int
failed(const char *path, const char *what, struct err *e)
{
	if (errno == ENOSPC || errno == EDQUOT)
		return err_fail(e, ERR_STORAGE_FULL, "%s cannot be %s: the disk is full", path, what);
	return err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s cannot be %s: %s", path, what, strerror(errno));
}

/* Also a log alone is refused: a new store beside it would be taken for its owner. */
static int
check_place(const char *path, struct err *e)
{
	static const char *const ends[] = { "", "-wal", "-journal" };
	char name[4096];
	struct stat st;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if ((size_t)snprintf(name, sizeof(name), "%s%s", path, ends[i]) < sizeof(name) && lstat(name, &st) == 0)
			return err_fail(
			    e, ERR_STORAGE_UNAVAILABLE, "%s%s exists already; move it away first", path, ends[i]);
	return 0;
}

static int
open_source(struct restore *r, struct err *e)
{
	struct stat st;

	r->in = sqlite_read_hold(r->from, e);
	if (r->in < 0)
		return -1;
	if (fstat(r->in, &st) < 0)
		return failed(r->from, "read", e);
	r->bytes = (uint64_t)st.st_size;
	return 0;
}

static int
check_source(const struct restore *r, const struct offline_work *u, struct offline_report *report, struct err *e)
{
	if (sqlite_check(sqlite_read_open_frozen(r->from, e), u, report, e) < 0)
		return -1;
	return report->damages == 0 ?
	    0 :
	    err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s is damaged: nothing was restored", r->from);
}

static int
write_all(int fd, const char *bytes, size_t n)
{
	ssize_t written;

	for (; n > 0; bytes += written, n -= (size_t)written) {
		written = write(fd, bytes, n);
		if (written < 0)
			return -1;
	}
	return 0;
}

static int
copy_blocks(const struct restore *r, const struct offline_work *u, char *block, struct err *e)
{
	uint64_t done = 0;
	ssize_t n;

	while ((n = read(r->in, block, BLOCK_BYTES)) > 0) {
		if (write_all(r->out, block, (size_t)n) < 0)
			return failed(r->path, "written", e);
		done += (uint64_t)n;
		u->progress(u->arg, "copying", done, r->bytes);
	}
	if (n < 0)
		return failed(r->from, "read", e);
	if (done != r->bytes)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s has changed while it was read", r->from);
	return fsync(r->out) < 0 ? failed(r->path, "flushed", e) : 0;
}

static int
write_unfinished(struct restore *r, const struct offline_work *u, struct err *e)
{
	char *block;
	int result;

	if ((size_t)snprintf(r->unfinished, sizeof(r->unfinished), "%s-restore", r->path) >= sizeof(r->unfinished))
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s: the path is too long", r->path);
	(void)unlink(r->unfinished);
	r->out = open(r->unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (r->out < 0)
		return failed(r->path, "made", e);
	block = malloc(BLOCK_BYTES);
	result = block == NULL ? err_fail_memory(e) : copy_blocks(r, u, block, e);
	free(block);
	return result;
}

/* The folder's entry is on disk too. */
static int
flush_folder(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char folder[4096] = ".";
	int fd, result;

	if (slash != NULL)
		snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	result = fd >= 0 && fsync(fd) == 0 ? 0 : failed(folder, "flushed", e);
	if (fd >= 0)
		close(fd);
	return result;
}

static int
put_into_place(const struct restore *r, struct err *e)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", r->out);
	if (linkat(AT_FDCWD, name, AT_FDCWD, r->path, AT_SYMLINK_FOLLOW) < 0)
		return errno == ENOENT ?
		    err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s was removed, by another restore?", r->unfinished) :
		    failed(r->path, "put into place", e);
	return flush_folder(r->path, e);
}

int
store_restore(
    const char *from, const char *url, const struct offline_work *u, struct offline_report *report, struct err *e)
{
	struct restore r = { .from = from, .path = sqlite_url_path(url, e), .in = -1, .out = -1 };
	int result = -1;

	*report = (struct offline_report){ 0 };
	if (r.path == NULL)
		return -1;
	if (check_place(r.path, e) == 0 && open_source(&r, e) == 0 && check_source(&r, u, report, e) == 0 &&
	    write_unfinished(&r, u, e) == 0)
		result = put_into_place(&r, e);
	if (r.out >= 0) {
		close(r.out);
		(void)unlink(r.unfinished);
	}
	if (r.in >= 0)
		close(r.in);
	return result;
}
