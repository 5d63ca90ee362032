/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out at every place: at the n-th allocation of each operation, of a start, of a log line, for every
 * n. The server runs in this process; the clients are its threads' neighbours. In the end no memory is left over, and
 * the log still writes.
 *
 *     test_memory [--full] [--operations] [-k TEXT]
 *
 * --full: more ways to fail, and without the reserve that SQLite keeps for small allocations; --operations: these
 * alone; -k: what has TEXT in its name.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/memory/service.h"
#include "tests/memory/sweeps.h"
#include "tests/memory/trial.h"

static const char *pattern = "";
static bool full, operations_only;

static bool
is_asked_for(const char *name)
{
	return strstr(name, pattern) != NULL;
}

/* The log keeps its two buffers from the first lines on: a start that says something would seem to leave memory. */
static void
warm_log(void)
{
	for (unsigned i = 0; i < 4; i++) {
		log_printf(LOG_ERROR, "%0*d", 900, 0);
		usleep(20000);
	}
}

static void
run_sweeps(int log_fd)
{
	if (!operations_only && is_asked_for("the log"))
		sweep_log(log_fd);
	must(log_start(LOG_INFO, LOG_JSON) == 0, "log_start");
	warm_log();
	if (!operations_only && is_asked_for("start"))
		sweep_starts(full);
	if (!operations_only && is_asked_for("files"))
		sweep_files();
	service_start();
	for (size_t i = 0; i < operation_count; i++)
		if (is_asked_for(operations[i].name))
			sweep_operation(&operations[i], full);
	if (is_asked_for("a batch"))
		sweep_batch();
	if (is_asked_for("a change"))
		sweep_change();
	service_stop();
	if (is_asked_for("a window"))
		sweep_window();
	log_printf(LOG_ERROR, "the last line");
	log_stop();
}

/* Standard error goes to a file: the lines of the log take memory too, and are held against what must be there. */
static FILE *
redirect_log(int *console)
{
	FILE *file = tmpfile();

	*console = dup(STDERR_FILENO);
	must(file != NULL && *console >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0, "no file for the log");
	return file;
}

/* What stands there beside the log's lines is a sanitizer's. */
static void
restore_log(FILE *file, int console)
{
	char line[4096];

	must(dup2(console, STDERR_FILENO) >= 0, "dup2");
	rewind(file);
	while (fgets(line, sizeof(line), file) != NULL)
		if (line[0] != '{')
			fputs(line, stderr);
	fclose(file);
}

int
main(int argc, char **argv)
{
	FILE *file;
	int console;
	long live;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--full") == 0)
			full = true;
		else if (strcmp(argv[i], "--operations") == 0)
			operations_only = true;
		else if (strcmp(argv[i], "-k") == 0 && i + 1 < argc)
			pattern = argv[++i];
	}
	trial_begin("what is left");
	fault_install();
	if (full)
		must(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK, "sqlite3_config");
	operations_make();
	service_make_store();
	file = redirect_log(&console);
	/* Once without failures: what is made once in a process's life is there then. */
	service_start();
	service_stop();
	live = fault_live();
	run_sweeps(fileno(file));
	service_remove_store();
	trial_begin("what is left");
	if (fault_live() != live)
		trial_complain("memory is left", "");
	if (!file_ends_with_line(fileno(file), "the last line"))
		trial_complain("the log writes no more", "");
	restore_log(file, console);
	trial_end();
	printf("%lu allocations failed\n%lu passed, %lu failed\n", trial.injected_total, trial.passed_total,
	    trial.failed_total);
	return trial.failed_total > 0;
}
