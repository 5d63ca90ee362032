/* SPDX-License-Identifier: MIT */
/* normd check: is a store sound? */
#include <inttypes.h>

#include "server/command.h"
#include "server/upkeep.h"

static enum exit_code
check(const char *const *values, struct err *e)
{
	char size[UPKEEP_SIZE_BYTES];
	struct offline_report report = { 0 };
	struct progress progress;
	struct offline_work u;
	int result;

	upkeep_init(&u, &progress);
	result = store_check(values[0], &u, &report, e);
	progress_clear(&progress);
	if (result < 0)
		return EXIT_FAILED;
	upkeep_format_size(size, &report);
	if (report.damages == 0)
		printf("%s is sound: %s\n", values[0], size);
	else
		printf("%s is damaged: %" PRIu64 " finding%s; read %s\n", values[0], report.damages,
		    report.damages == 1 ? "" : "s", size);
	return report.damages == 0 ? EXIT_DONE : EXIT_FAILED;
}

const struct command command_check = {
	.name = "check",
	.help = "check a whole store and report damage; changes nothing",
	.options = { { "--store", "URL", "NORMD_STORE", "sqlite:normd.db",
	    "the store, which no daemon has open: sqlite:PATH" } },
	.run = check,
};
