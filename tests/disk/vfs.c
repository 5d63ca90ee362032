/* SPDX-License-Identifier: MIT */
/*
 * As SQLite's own file system for Unix does it: a journal or log that is opened to be created has its directory synced
 * with its first sync; a deletion syncs the directory where it is asked to; a device of 4096-byte sectors on which a
 * write never harms the bytes beside it (SQLITE_IOCAP_POWERSAFE_OVERWRITE). Without shared memory, which only an
 * exclusive connection can do without.
 */
#include "tests/disk/vfs.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

struct vfs_file {
	sqlite3_file base; /* first */
	struct inode *inode;
	unsigned generation;
	bool sync_directory;
};

static struct disk *disk;

static const int failure_codes[DISK_OP_COUNT] = {
	[DISK_OPEN] = SQLITE_CANTOPEN,
	[DISK_READ] = SQLITE_IOERR_READ,
	[DISK_WRITE] = SQLITE_IOERR_WRITE,
	[DISK_TRUNCATE] = SQLITE_IOERR_TRUNCATE,
	[DISK_SYNC] = SQLITE_IOERR_FSYNC,
	[DISK_SIZE] = SQLITE_IOERR_FSTAT,
	[DISK_DELETE] = SQLITE_IOERR_DELETE,
};

static int
code(enum disk_op op, enum disk_result result)
{
	switch (result) {
	case DISK_OK:
		return SQLITE_OK;
	case DISK_NO_SPACE:
		return SQLITE_FULL;
	case DISK_NO_SUCH_FILE:
		return op == DISK_DELETE ? SQLITE_IOERR_DELETE_NOENT : SQLITE_CANTOPEN;
	default:
		return failure_codes[op];
	}
}

static struct vfs_file *
self_of(sqlite3_file *file)
{
	return (struct vfs_file *)file;
}

static bool
dead(sqlite3_file *file)
{
	return !disk_alive(disk, self_of(file)->generation);
}

static int
vfs_close(sqlite3_file *file)
{
	disk_close(disk, self_of(file)->inode);
	return SQLITE_OK;
}

static int
vfs_read(sqlite3_file *file, void *bytes, int n, sqlite3_int64 offset)
{
	size_t got = 0;
	enum disk_result result =
	    dead(file) ? DISK_FAILED : disk_read(disk, self_of(file)->inode, bytes, (size_t)n, (size_t)offset, &got);

	if (result != DISK_OK)
		return code(DISK_READ, result);
	if (got == (size_t)n)
		return SQLITE_OK;
	memset((unsigned char *)bytes + got, 0, (size_t)n - got);
	return SQLITE_IOERR_SHORT_READ;
}

static int
vfs_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 offset)
{
	if (dead(file))
		return SQLITE_IOERR_WRITE;
	return code(DISK_WRITE, disk_write(disk, self_of(file)->inode, bytes, (size_t)n, (size_t)offset));
}

static int
vfs_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	if (dead(file))
		return SQLITE_IOERR_TRUNCATE;
	return code(DISK_TRUNCATE, disk_truncate(disk, self_of(file)->inode, (size_t)size));
}

static int
vfs_sync(sqlite3_file *file, int flags)
{
	struct vfs_file *self = self_of(file);
	enum disk_result result = dead(file) ? DISK_FAILED : disk_sync(disk, self->inode, self->sync_directory);

	(void)flags;
	if (result == DISK_OK)
		self->sync_directory = false;
	return code(DISK_SYNC, result);
}

static int
vfs_size(sqlite3_file *file, sqlite3_int64 *size)
{
	size_t n = 0;
	enum disk_result result = dead(file) ? DISK_FAILED : disk_size(disk, self_of(file)->inode, &n);

	*size = (sqlite3_int64)n;
	return code(DISK_SIZE, result);
}

/* There is one connection, and nobody else to lock out. */
static int
vfs_lock(sqlite3_file *file, int level)
{
	(void)file;
	(void)level;
	return SQLITE_OK;
}

static int
vfs_check_reserved(sqlite3_file *file, int *reserved)
{
	(void)file;
	*reserved = 0;
	return SQLITE_OK;
}

static int
vfs_control(sqlite3_file *file, int op, void *arg)
{
	(void)file;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int
vfs_sector_size(sqlite3_file *file)
{
	(void)file;
	return 4096;
}

static int
vfs_characteristics(sqlite3_file *file)
{
	(void)file;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = vfs_close,
	.xRead = vfs_read,
	.xWrite = vfs_write,
	.xTruncate = vfs_truncate,
	.xSync = vfs_sync,
	.xFileSize = vfs_size,
	.xLock = vfs_lock,
	.xUnlock = vfs_lock,
	.xCheckReservedLock = vfs_check_reserved,
	.xFileControl = vfs_control,
	.xSectorSize = vfs_sector_size,
	.xDeviceCharacteristics = vfs_characteristics,
};

static int
vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags)
{
	const int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
	struct vfs_file *self = self_of(file);
	enum disk_result result =
	    disk_open(disk, name, (flags & SQLITE_OPEN_CREATE) != 0, &self->inode, &self->generation);

	(void)vfs;
	file->pMethods = result == DISK_OK ? &methods : NULL;
	self->sync_directory = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & journals) != 0;
	if (out_flags != NULL)
		*out_flags = flags;
	return code(DISK_OPEN, result);
}

static int
vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
	(void)vfs;
	return code(DISK_DELETE, disk_delete(disk, name, sync_directory != 0));
}

/* SQLite's own counts an empty file as none here. */
static int
vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *yes)
{
	(void)vfs;
	(void)flags;
	*yes = disk_exists(disk, name) > 0;
	return disk_is_off(disk) ? SQLITE_IOERR_ACCESS : SQLITE_OK;
}

static int
vfs_full_path(sqlite3_vfs *vfs, const char *name, int n, char *path)
{
	(void)vfs;
	return snprintf(path, (size_t)n, "%s", name) < n ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int
vfs_randomness(sqlite3_vfs *vfs, int n, char *bytes)
{
	(void)vfs;
	for (int i = 0; i < n; i++)
		bytes[i] = (char)disk_random(disk);
	return n;
}

static int
vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
	(void)vfs;
	return microseconds;
}

static int
vfs_time(sqlite3_vfs *vfs, sqlite3_int64 *ms)
{
	(void)vfs;
	*ms = 0;
	return SQLITE_OK;
}

static int
vfs_last_error(sqlite3_vfs *vfs, int n, char *text)
{
	(void)vfs;
	(void)n;
	(void)text;
	return 0;
}

static sqlite3_vfs vfs = {
	.iVersion = 2,
	.szOsFile = sizeof(struct vfs_file),
	.mxPathname = 255,
	.zName = "fault",
	.xOpen = vfs_open,
	.xDelete = vfs_delete,
	.xAccess = vfs_access,
	.xFullPathname = vfs_full_path,
	.xRandomness = vfs_randomness,
	.xSleep = vfs_sleep,
	.xCurrentTimeInt64 = vfs_time,
	.xGetLastError = vfs_last_error,
};

void
vfs_register(struct disk *d)
{
	disk = d;
	sqlite3_vfs_register(&vfs, 1);
	sqlite3_randomness(0, NULL); /* the next of SQLite's random numbers comes of this disk's seed */
}

void
vfs_unregister(void)
{
	sqlite3_vfs_unregister(&vfs);
	sqlite3_randomness(0, NULL);
}
