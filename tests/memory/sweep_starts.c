/* SPDX-License-Identifier: MIT */
/*
 * Starting, for n = 1, 2, 3, ...: it fails with a message and leaves nothing open, or it serves; and the next start,
 * with memory, finds the store as it was.
 */
#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "tests/memory/service.h"
#include "tests/memory/sweeps.h"
#include "tests/memory/trial.h"

/* What a process has open. */
struct open_things {
	long blocks;
	unsigned descriptors, threads;
};

static unsigned
entries_of(const char *path)
{
	DIR *dir = opendir(path);
	unsigned n = 0;

	must(dir != NULL, path);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static struct open_things
count_open(void)
{
	return (struct open_things){ fault_live(), entries_of("/proc/self/fd"), entries_of("/proc/self/task") };
}

/*
 * A thread that was joined may stand in its folder for a moment. Each start waits for that, also one that succeeds:
 * otherwise the next would count such a thread among its own.
 */
static void
check_threads(unsigned then)
{
	unsigned now = entries_of("/proc/self/task");

	for (unsigned i = 0; i < 1000 && now > then; i++) {
		usleep(1000);
		now = entries_of("/proc/self/task");
	}
	if (now > then)
		trial_complain("threads are left", "");
}

static void
check_nothing_left(struct open_things then)
{
	struct open_things now;

	check_threads(then.threads);
	now = count_open();
	if (now.blocks != then.blocks)
		trial_complain("memory is left", "");
	/* A start that fails within libmicrohttpd leaves an eventfd there; the process ends then. */
	if (now.descriptors != then.descriptors && !fault_is_within_libraries())
		trial_complain("descriptors are left", "");
}

static void
try_start(void)
{
	const struct open_things then = count_open();
	struct err e = { 0 };
	int result;

	trial_arm();
	result = service_try_start(&e);
	trial_disarm();
	if (result == 0)
		service_stop();
	else if (e.code == ERR_NONE || e.detail[0] == '\0')
		trial_complain("no message", "");
	check_nothing_left(then);
}

static void
start_again(const struct state *before)
{
	static struct state now;
	const unsigned threads = entries_of("/proc/self/task");

	service_start();
	if (before != NULL) {
		state_look(&now);
		if (!state_same(&now, before))
			trial_complain("the state is another", now.text);
	}
	service_stop();
	check_threads(threads);
}

/*
 * `before` is the store's state; NULL: there is no store. The start that must succeed is tried after every so many that
 * may fail.
 */
static void
sweep(const struct state *before, enum fault_mode mode, unsigned every)
{
	trial_sweep(mode, FAULT_HTTP_TOO);
	while (trial_next()) {
		if (before == NULL)
			service_remove_files();
		try_start();
		if (trial.n % every == 0 || !trial.struck)
			start_again(before);
	}
}

void
sweep_starts(bool full)
{
	static const struct message make[] = { { "PUT", LAYER, NULL, "{\"kind\":\"batch_norm\"}", 0 },
		{ "POST", LAYER "/train?output=false", NULL, "{\"data\":[[2,10],[3,40],[7,30]]}", 0 } };
	static struct answered answer;
	static struct state before;
	const unsigned every = full ? 1 : 8;

	trial_begin("start on a new store");
	sweep(NULL, FAULT_ONCE, every);
	if (full)
		sweep(NULL, FAULT_FROM_THEN_ON, every);
	trial_end();
	trial_begin("start");
	service_start();
	for (size_t i = 0; i < sizeof(make) / sizeof(make[0]); i++)
		service_ask(&make[i], &answer);
	state_look(&before);
	service_stop();
	sweep(&before, FAULT_ONCE, every);
	if (full)
		sweep(&before, FAULT_FROM_THEN_ON, every);
	trial_end();
}
