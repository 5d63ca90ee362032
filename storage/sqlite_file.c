/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "storage/sqlite_errors.h"

int
sqlite_file_check_kind(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return 0;
	return err_fail(
	    e, ERR_STORAGE_UNAVAILABLE, "%s is not a regular file: name a file, or one that does not exist yet", path);
}

int
sqlite_file_check_folder(const char *path, struct err *e)
{
	char folder[PATH_FOLDER_BYTES];
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return err_fail(
		    e, ERR_STORAGE_UNAVAILABLE, "%s cannot be opened: it is a folder; --store takes a file", path);
	path_folder(path, folder);
	if (stat(folder, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_fail(
		    e, ERR_STORAGE_UNAVAILABLE, "%s cannot be opened: its folder does not exist; make it first", path);
	return 0;
}

/* SQLite makes files beside the database, so the folder must be writable even if the file exists. */
static bool
may_write(const char *path)
{
	return path_folder_is_writable(path) && (eaccess(path, R_OK | W_OK) == 0 || errno == ENOENT);
}

/* A file that exists is empty, or begins as all of SQLite's do. */
static int
check_head(const char *path, struct err *e)
{
	static const char magic[16] = "SQLite format 3";
	char head[sizeof(magic)];
	FILE *file = fopen(path, "re");
	size_t n;

	if (file == NULL)
		return errno == ENOENT ?
		    0 :
		    err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s cannot be opened: %s", path, strerror(errno));
	n = fread(head, 1, sizeof(head), file);
	fclose(file);
	if (n > 0 && (n < sizeof(head) || memcmp(head, magic, sizeof(magic)) != 0))
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s is not a normd store: it is not a database", path);
	return 0;
}

int
sqlite_file_check(const char *path, struct err *e)
{
	if (sqlite_file_check_kind(path, e) < 0 || sqlite_file_check_folder(path, e) < 0)
		return -1;
	if (!may_write(path))
		return sqlite_refuse_readonly(path, e);
	return check_head(path, e);
}
