/* SPDX-License-Identifier: MIT */
/*
 * A disk in memory that can lose its power, and a kernel before it that can fail: what the fault tests put below SQLite
 * (vfs.h).
 *
 * Each file has what is on the disk for certain (durable), the changes since its last sync in their order, and what a
 * reader sees (the page cache: both together). Names are apart from files: a file that was made or deleted is so for
 * certain only when the directory has been synced. At a cut each change that was not synced is by itself kept, dropped,
 * halved, or torn at 512-byte sectors, in any subset; a file may have grown to what was written to it without the bytes
 * having come along. What was synced stays.
 *
 * A sync that fails may have lost what it should have written, as on Linux: the pages count as clean, readers see them,
 * no later sync writes them, and they are gone when the cache is dropped.
 *
 * Used by one thread at a time. All chance comes from the seed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk;
struct inode;

enum disk_op { DISK_OPEN, DISK_READ, DISK_WRITE, DISK_TRUNCATE, DISK_SYNC, DISK_SIZE, DISK_DELETE, DISK_OP_COUNT };

/* Makes the nth call of this kind from now on fail, and all later ones when it is lasting. */
struct disk_fault {
	enum disk_op op;
	unsigned nth; /* from 1; 0: no fault */
	bool lasting;
	bool full;  /* "no space left" instead of "I/O error"; a write that fails so may have come half the way */
	bool loses; /* syncs: what was not synced is partly lost */
};

enum disk_result { DISK_OK, DISK_FAILED, DISK_NO_SPACE, DISK_NO_SUCH_FILE };

struct disk *disk_new(uint64_t seed);
void disk_free(struct disk *d);

/* An empty disk with power; nothing armed. */
void disk_format(struct disk *d, uint64_t seed);

/* What is seen now becomes what disk_restore brings back, durably. */
void disk_keep(struct disk *d);
void disk_restore(struct disk *d, uint64_t seed);

/* Arms a fault; nth 0 clears it. */
void disk_fail(struct disk *d, struct disk_fault fault);
unsigned disk_failures(const struct disk *d); /* how often the fault struck since it was armed */

/*
 * Arms a cut at the nth change or sync from now on (0: none): it is under way when the power goes, and fails, as all
 * that follows does.
 */
void disk_cut_at(struct disk *d, unsigned nth);
void disk_cut(struct disk *d); /* now */
bool disk_is_off(const struct disk *d);

/* The power comes back: the cut's outcome is decided. Files that were open are dead. */
void disk_power_on(struct disk *d);

/*
 * The process has ended, and the next one drops the cache's clean pages, as the store does with the log that was left
 * to it (how it does that, posix_fadvise, is below no SQLite): what was written and not lost is there. Files that were
 * open are dead.
 */
void disk_kill(struct disk *d);

/* A disk that lies: syncs succeed and do nothing. To show that the tests notice. */
void disk_lie(struct disk *d, bool lies);

/* Bytes of the seed's sequence. */
uint64_t disk_random(struct disk *d);

/*
 * The calls of a file system. `name` NULL: a file without a name. A file is dead when its generation is not the disk's
 * any more.
 */
enum disk_result disk_open(struct disk *d, const char *name, bool create, struct inode **file, unsigned *generation);
void disk_close(struct disk *d, struct inode *file);
bool disk_alive(const struct disk *d, unsigned generation);
enum disk_result disk_read(struct disk *d, struct inode *file, void *bytes, size_t n, size_t offset, size_t *got);
enum disk_result disk_write(struct disk *d, struct inode *file, const void *bytes, size_t n, size_t offset);
enum disk_result disk_truncate(struct disk *d, struct inode *file, size_t size);
enum disk_result disk_sync(struct disk *d, struct inode *file, bool directory_too);
enum disk_result disk_size(struct disk *d, struct inode *file, size_t *size);
enum disk_result disk_delete(struct disk *d, const char *name, bool sync_directory);
size_t disk_exists(struct disk *d, const char *name); /* its size; 0 also where there is none */
