/* SPDX-License-Identifier: MIT */
/*
 * How far a long command is: one line on standard error that is drawn again and again, and nothing at all where that is
 * no terminal.
 */
#ifndef SERVER_PROGRESS_H
#define SERVER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: nothing is drawn yet. */
struct progress {
	bool shown;
	uint64_t drawn_us;
	const char *what;
};

/*
 * Draws at most ten times a second, and what is new at once. Without a total it just says what is done. `what` is a
 * constant text.
 */
void progress_draw(struct progress *p, const char *what, uint64_t done, uint64_t total);

/* Takes the line away: other lines follow. */
void progress_clear(struct progress *p);

#endif
