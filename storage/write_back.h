/* SPDX-License-Identifier: MIT */
/*
 * Writing a file's pages to the disk while it grows. Otherwise the kernel lets gigabytes of them gather, and a commit's
 * flush of another file waits while it writes them all. This is not a flush: it promises no durability.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How much is written at once while others need the disk: 5 ms at 100 MB/s. */
#define WRITE_BACK_BYTES ((uint64_t)512 << 10)

/*
 * Writes a piece of the file that begins at `from` and ends at `to` at the latest. `gently`: at most WRITE_BACK_BYTES,
 * followed by a pause as long as the write. Returns where the piece ends. Failures are ignored.
 */
uint64_t write_back_piece(int descriptor, uint64_t from, uint64_t to, bool gently);
