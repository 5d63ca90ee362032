/* SPDX-License-Identifier: MIT */
/* The progress of a long command: one line on standard error that is redrawn; nothing if that is not a terminal. */
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

/* Draws at most ten times a second, and a new `what`, a constant text, at once. `total` may be 0: unknown. */
void progress_draw(struct progress *p, const char *what, uint64_t done, uint64_t total);

/* Removes the line, before other output. */
void progress_clear(struct progress *p);

#endif
