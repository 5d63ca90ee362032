/* SPDX-License-Identifier: MIT */
/* The file system that SQLite sees in the fault tests: a disk of disk.h, with the habits of SQLite's own for Unix. */
#pragma once

#include "tests/disk/disk.h"

/* Makes `d` the place of every database that is opened from now on. */
void vfs_register(struct disk *d);

/* Back to the real files. All databases must be closed. */
void vfs_unregister(void);
