/* SPDX-License-Identifier: MIT */
#include "storage/write_back.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"

/* How much is written at once while nobody else needs the disk. A commit that comes then waits for one piece. */
#define ALONE_BYTES (4 * WRITE_BACK_BYTES)

/* The longest pause: a disk that takes longer has other problems, and a backup should end. */
#define PAUSE_MAX_US ((uint64_t)50000)

uint64_t
write_back_piece(int descriptor, uint64_t from, uint64_t to, bool gently)
{
	const uint64_t most = gently ? WRITE_BACK_BYTES : ALONE_BYTES, bytes = to - from < most ? to - from : most;
	const uint64_t began_us = clock_monotonic_us();
	uint64_t took_us;

	(void)sync_file_range(descriptor, (off_t)from, (off_t)bytes,
	    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	took_us = clock_monotonic_us() - began_us;
	if (gently)
		(void)usleep((useconds_t)(took_us < PAUSE_MAX_US ? took_us : PAUSE_MAX_US));
	return from + bytes;
}
