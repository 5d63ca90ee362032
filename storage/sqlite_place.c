/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_place.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

void
sqlite_place_init(struct sqlite_place *p, const char *path)
{
	static const char *const ends[] = { "", "-wal" };
	struct stat st = { 0 };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		char *name = p->files[i].path;

		p->files[i].known = (size_t)snprintf(name, sizeof(p->files[i].path), "%s%s", path, ends[i]) <
			sizeof(p->files[i].path) &&
		    stat(name, &st) == 0;
		p->files[i].dev = st.st_dev;
		p->files[i].ino = st.st_ino;
	}
}

int
sqlite_place_check(const struct sqlite_place *p, struct err *e)
{
	struct stat st;

	for (size_t i = 0; i < sizeof(p->files) / sizeof(p->files[0]); i++) {
		if (!p->files[i].known ||
		    (stat(p->files[i].path, &st) == 0 && st.st_dev == p->files[i].dev && st.st_ino == p->files[i].ino))
			continue;
		err_set(e, ERR_STORAGE_UNAVAILABLE,
		    "%.300s was deleted, moved or replaced while it was open: put it back, or restart",
		    p->files[i].path);
		e->retry_after_s = 1;
		return -1;
	}
	return 0;
}

void
sqlite_place_measure(const struct sqlite_place *p, struct store_figures *out)
{
	uint64_t *const sizes[] = { &out->file_bytes, &out->wal_bytes };
	struct statvfs disk;
	struct stat st;

	for (size_t i = 0; i < sizeof(p->files) / sizeof(p->files[0]); i++)
		if (p->files[i].known && stat(p->files[i].path, &st) == 0)
			*sizes[i] = (uint64_t)st.st_size;
	if (!p->files[0].known || statvfs(p->files[0].path, &disk) < 0)
		return;
	out->disk_bytes = (uint64_t)disk.f_blocks * disk.f_frsize;
	out->disk_free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
}
