/* SPDX-License-Identifier: MIT */
/* normd restore: a backup becomes a store. */
#include "server/command.h"
#include "server/upkeep.h"

static enum exit_code
restore(const char *const *values, struct err *e)
{
	char size[UPKEEP_SIZE_BYTES];
	struct offline_report report = { 0 };
	struct progress progress;
	struct offline_work u;
	int result;

	upkeep_init(&u, &progress);
	result = store_restore(values[0], values[1], &u, &report, e);
	progress_clear(&progress);
	if (result < 0)
		return EXIT_FAILED;
	upkeep_format_size(size, &report);
	printf("%s is restored: %s\n", values[1], size);
	return EXIT_DONE;
}

const struct command command_restore = {
	.name = "restore",
	.help = "check a backup and restore it as a new store",
	.options = { { "--from", "FILE", NULL, NULL,
			 "the backup: a file from GET /v1/backup, or the file of a stopped store" },
	    { "--store", "URL", "NORMD_STORE", "sqlite:normd.db", "the store to create: sqlite:PATH" } },
	.run = restore,
};
