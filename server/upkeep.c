/* SPDX-License-Identifier: MIT */
#include "server/upkeep.h"

#include <inttypes.h>
#include <stdio.h>

#include "handlers/definition_stored.h"

static void
print_found(void *arg, const char *damage)
{
	progress_clear(arg);
	puts(damage);
}

static void
draw(void *arg, const char *what, uint64_t done, uint64_t total)
{
	progress_draw(arg, what, done, total);
}

void
upkeep_init(struct offline_work *u, struct progress *p)
{
	*p = (struct progress){ 0 };
	*u = (struct offline_work){ .definitions = definition_ops,
		.judge = definition_judge,
		.found = print_found,
		.progress = draw,
		.arg = p };
}

void
upkeep_format_size(char out[UPKEEP_SIZE_BYTES], const struct offline_report *report)
{
	snprintf(out, UPKEEP_SIZE_BYTES, "%" PRIu64 " model%s, %" PRIu64 " layer%s", report->models,
	    report->models == 1 ? "" : "s", report->layers, report->layers == 1 ? "" : "s");
}
