/* SPDX-License-Identifier: MIT */
/*
 * Writing a file's pages to the disk while it grows. Left to itself the kernel lets them gather, by the gigabyte, and
 * then writes them all at once: whoever flushes another file meanwhile, as the store does at each commit, waits behind
 * them. So they are written little by little. It is no flush: nothing says that they survive.
 */
#ifndef STORAGE_WRITE_BACK_H
#define STORAGE_WRITE_BACK_H

#include <stdbool.h>
#include <stdint.h>

/* What is written at once beside others. A disk of 100 MB/s takes 5 ms for it. */
#define WRITE_BACK_BYTES ((uint64_t)512 << 10)

/*
 * Writes a piece of the file that begins at `from` and ends at `to` at the latest; `gently`: no more than
 * WRITE_BACK_BYTES, and then waits as long again, for others to have the disk. Returns where the piece ends. A file
 * system that cannot do it does as it likes.
 */
uint64_t write_back_piece(int descriptor, uint64_t from, uint64_t to, bool gently);

#endif
