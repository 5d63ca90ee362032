/* SPDX-License-Identifier: MIT */
/* Commands for a store that no daemon has open: normd check, restore, migrate. Findings go to standard output. */
#include <inttypes.h>
#include <unistd.h>

#include "base/clock.h"
#include "handlers/definition_stored.h"
#include "layer/layer_digest.h"
#include "server/command.h"
#include "server/sandbox.h"
#include "storage/offline.h"

#define REDRAW_US 100000

/* Returns to the start of the line and erases it (ECMA-48: CR, EL). */
#define LINE_START "\r\033[K"

/* One line on standard error that is redrawn; nothing if that is not a terminal. */
struct progress {
	bool shown;
	uint64_t drawn_us;
	const char *what;
};

/* Draws at most ten times a second, and a new `what` at once. `total` may be 0: unknown. */
static void
draw_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
	struct progress *p = arg;
	uint64_t now_us = clock_monotonic_us();

	if ((what == p->what && now_us - p->drawn_us < REDRAW_US) || !isatty(STDERR_FILENO))
		return;
	if (total > 0)
		fprintf(stderr, LINE_START "%s %3.0f%%", what, 100 * (double)done / (double)total);
	else
		fprintf(stderr, LINE_START "%s ...", what);
	fflush(stderr);
	*p = (struct progress){ .shown = true, .drawn_us = now_us, .what = what };
}

static void
clear_progress(struct progress *p)
{
	if (p->shown)
		fputs(LINE_START, stderr);
	*p = (struct progress){ 0 };
}

static void
print_found(void *arg, const char *damage)
{
	clear_progress(arg);
	puts(damage);
}

static void
layer_digest_of(const void *parsed, const struct statistics *statistics, const double *weight, const double *bias,
    unsigned char out[SHA256_BYTES])
{
	layer_digest(parsed, statistics, weight, bias, out);
}

static void
version_begin(void *version)
{
	version_digest_begin(version);
}

static void
version_add(void *version, const char *layer, const unsigned char digest[SHA256_BYTES])
{
	version_digest_add(version, layer, digest);
}

static void
version_end(void *version, unsigned char out[SHA256_BYTES])
{
	version_digest_end(version, out);
}

static const struct offline_digests digests = { .layer = layer_digest_of,
	.version_bytes = sizeof(struct version_digest),
	.version_begin = version_begin,
	.version_add = version_add,
	.version_end = version_end };

static struct offline_work
make_work(struct progress *p)
{
	return (struct offline_work){ .definitions = definition_ops,
		.digests = &digests,
		.judge = definition_judge,
		.found = print_found,
		.progress = draw_progress,
		.arg = p };
}

/*
 * The files may come from anybody, and SQLite and our own code read them. So the sandbox is entered as far as the
 * system has one; there is no log that could say what is missing.
 */
static int
enter_sandbox(const char *from, const char *store, struct err *e)
{
	struct sandbox_places places;
	struct sandbox_state state;

	sandbox_places_of_command(&places, from, store);
	return sandbox_enter(CONFIG_SANDBOX_TRY, &places, &state, e);
}

/* "1 model, 2 layers" */
static void
print_size(const struct offline_report *r)
{
	printf("%" PRIu64 " model%s, %" PRIu64 " layer%s\n", r->models, err_plural(r->models), r->layers,
	    err_plural(r->layers));
}

static enum exit_code
check(const char *const *values, struct err *e)
{
	struct offline_report report = { 0 };
	struct progress progress = { 0 };
	const struct offline_work work = make_work(&progress);
	int result = enter_sandbox("", values[0], e);

	if (result == 0)
		result = store_check(values[0], &work, &report, e);
	clear_progress(&progress);
	if (result < 0)
		return EXIT_FAILED;
	if (report.damages == 0)
		printf("%s is sound: ", values[0]);
	else
		printf("%s is damaged: %" PRIu64 " finding%s; read ", values[0], report.damages,
		    err_plural(report.damages));
	print_size(&report);
	return report.damages == 0 ? EXIT_DONE : EXIT_FAILED;
}

static enum exit_code
restore(const char *const *values, struct err *e)
{
	struct offline_report report = { 0 };
	struct progress progress = { 0 };
	const struct offline_work work = make_work(&progress);
	int result = enter_sandbox(values[0], values[1], e);

	if (result == 0)
		result = store_restore(values[0], values[1], &work, &report, e);
	clear_progress(&progress);
	if (result < 0)
		return EXIT_FAILED;
	printf("%s is restored: ", values[1]);
	print_size(&report);
	return EXIT_DONE;
}

static enum exit_code
migrate(const char *const *values, struct err *e)
{
	struct offline_report report = { 0 };
	struct progress progress = { 0 };
	const struct offline_work work = make_work(&progress);
	struct sandbox_places places;
	struct sandbox_state state;
	int result;

	sandbox_places_of_copy(&places, values[0], values[1]);
	result = sandbox_enter(CONFIG_SANDBOX_TRY, &places, &state, e);
	if (result == 0)
		result = store_migrate(values[0], values[1], &work, &report, e);
	clear_progress(&progress);
	if (result < 0)
		return EXIT_FAILED;
	printf("the store is copied; the digests are the same on both sides: %" PRIu64 " layer%s, %" PRIu64
	       " version%s\n",
	    report.layers, err_plural(report.layers), report.versions, err_plural(report.versions));
	return EXIT_DONE;
}

const struct command command_check = {
	.name = "check",
	.help = "check a whole store and report damage; changes nothing",
	.options = { { "--store", "URL", "NORMD_STORE", "sqlite:normd.db",
	    "the store, which no daemon has open: sqlite:PATH" } },
	.run = check,
};

const struct command command_restore = {
	.name = "restore",
	.help = "check a backup and restore it as a new store",
	.options = { { "--from", "FILE", NULL, NULL,
			 "the backup: a file from GET /v1/backup, or the file of a stopped store" },
	    { "--store", "URL", "NORMD_STORE", "sqlite:normd.db", "the store to create: sqlite:PATH" } },
	.run = restore,
};

const struct command command_migrate = {
	.name = "migrate",
	.help = "copy a store between SQLite and PostgreSQL, either way",
	.options = { { "--from", "URL", NULL, NULL, "the store, which no daemon has open; it is only read" },
	    { "--to", "URL", NULL, NULL, "the store to create: sqlite:PATH or postgresql://...; it must be empty" } },
	.run = migrate,
};
