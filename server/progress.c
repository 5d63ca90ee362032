/* SPDX-License-Identifier: MIT */
#include "server/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define INTERVAL_US 100000

/* From the line's begin, and what was there before is gone (ECMA-48: CR, EL). */
#define LINE_START "\r\033[K"

void
progress_draw(struct progress *p, const char *what, uint64_t done, uint64_t total)
{
	uint64_t now_us = clock_monotonic_us();

	if ((what == p->what && now_us - p->drawn_us < INTERVAL_US) || !isatty(STDERR_FILENO))
		return;
	if (total > 0)
		fprintf(stderr, LINE_START "%s %3.0f%%", what, 100 * (double)done / (double)total);
	else
		fprintf(stderr, LINE_START "%s ...", what);
	fflush(stderr);
	p->what = what;
	p->drawn_us = now_us;
	p->shown = true;
}

void
progress_clear(struct progress *p)
{
	if (p->shown)
		fputs(LINE_START, stderr);
	*p = (struct progress){ 0 };
}
