/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_place.h"

#include <stdio.h>
#include <sys/stat.h>

static void
note(struct sqlite_place_file *f, const char *path, const char *suffix)
{
	struct stat st;

	f->known = (size_t)snprintf(f->path, sizeof(f->path), "%s%s", path, suffix) < sizeof(f->path) &&
	    stat(f->path, &st) == 0;
	if (!f->known)
		return;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
}

void
sqlite_place_init(struct sqlite_place *p, const char *path)
{
	note(&p->database, path, "");
	note(&p->wal, path, "-wal");
}

static int
check(const struct sqlite_place_file *f, struct err *e)
{
	struct stat st;

	if (!f->known || (stat(f->path, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino))
		return 0;
	err_set(e, ERR_STORAGE_UNAVAILABLE,
	    "%.300s was deleted, moved or replaced while it was open: put it back, or restart", f->path);
	e->retry_after_s = 1;
	return -1;
}

int
sqlite_place_check(const struct sqlite_place *p, struct err *e)
{
	return check(&p->database, e) < 0 ? -1 : check(&p->wal, e);
}
