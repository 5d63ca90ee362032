/* SPDX-License-Identifier: MIT */
/* normd: reads its configuration, serves until a signal, drains, exits. Other commands are in command.h. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/spare_memory.h"
#include "server/command.h"
#include "server/config.h"
#include "server/config_check.h"
#include "server/lifecycle.h"
#include "server/notify.h"
#include "server/sandbox.h"
#include "server/server.h"
#include "server/signals.h"
#include "server/standard_streams.h"

static enum exit_code
fail(const struct err *e)
{
	fprintf(stderr, "normd: %s\n", e->detail);
	return exit_code_of(e);
}

/*
 * The allocator keeps blocks of up to `kept` bytes (6 MiB if there is enough memory) for the thread that freed them.
 * Mapped anew, a tensor of 1.6 MB costs 391 page faults a request, and one of 4 MiB holds the lock of the address space
 * so long that small requests wait. With such blocks kept, four clients with 4 MiB tensors are served 244 times a
 * second instead of 150, and the 99th percentile of small requests falls from 2.4 to 1.0 ms. Larger blocks go back to
 * the kernel. By default glibc raises its threshold up to 32 MiB: after two rounds of twenty 20 MB bodies it kept 90 to
 * 150 MB, and 22 MB with these settings (2 threads). There are no more arenas than threads, because each arena keeps as
 * much (base/spare_memory.h).
 */
static void
tune_allocator(const struct config *config)
{
#ifdef M_MMAP_THRESHOLD
	enum { FEW_THREADS = 6 }; /* main, the store, the log and others: they share no arena with event loops */

	(void)mallopt(M_MMAP_THRESHOLD, (int)config->memory.kept);
	(void)mallopt(M_TRIM_THRESHOLD, (int)config->memory.kept_together);
	(void)mallopt(M_ARENA_MAX, (int)(config->memory.threads + FEW_THREADS));
#else
	(void)config;
#endif
	spare_memory_bound(config->memory.total);
}

/* Warns an operator before memory runs out. */
static void
warn_of_memory(const struct memory_plan *plan)
{
	if (plan->total > plan->available)
		log_event(LOG_WARN,
		    "--max-memory is more than the available memory: lower it, or the kernel may kill normd",
		    (const struct log_field[]){ { .name = "max_memory_mib", .number = (double)(plan->total >> 20) },
			{ .name = "available_mib", .number = (double)(plan->available >> 20) } },
		    2);
	if (plan->body_lowered)
		log_event(LOG_WARN,
		    "--max-body was lowered to fit the memory: give normd more memory, or set --max-body",
		    (const struct log_field[]){ { .name = "max_body_mib", .number = (double)(plan->body_max >> 20) },
			{ .name = "max_memory_mib", .number = (double)(plan->total >> 20) },
			{ .name = "available_mib", .number = (double)(plan->available >> 20) } },
		    3);
}

static int
start_log(const struct config *config, struct err *e)
{
	return log_start(config->level, config->format) == 0 ?
	    0 :
	    err_fail(e, ERR_OVERLOADED, "the log's thread cannot be started");
}

/*
 * What must precede the first thread: threads are in the sandbox only if they are started in it. The listener comes
 * before it, because no socket can be bound in it.
 */
static int
prepare(struct server *server, const struct config *config, struct sandbox_state *sandbox, struct err *e)
{
	struct sandbox_places places;

	if (server_listen(server, config, e) < 0)
		return -1;
	sandbox_places_find(&places, config);
	if (sandbox_enter(config->sandbox, &places, sandbox, e) == 0 && start_log(config, e) == 0)
		return 0;
	server_abandon(server);
	return -1;
}

static void
log_listening(const struct server *server, const struct config *config, const struct sandbox_state *sandbox)
{
	char store[STORE_URL_SHOWN];
	const struct log_field fields[] = {
		{ .name = "address", .text = server->host },
		{ .name = "port", .number = server->port },
		{ .name = "store", .text = store_show_url(config->store, store) },
		{ .name = "threads", .number = config->thread_count },
		{ .name = "max_memory_mib", .number = (double)(config->memory.total >> 20) },
		{ .name = "connections", .number = server->connections_max },
		{ .name = "landlock", .text = sandbox->landlock },
		{ .name = "seccomp", .text = sandbox->seccomp },
		{ .name = "no_new_privs", .text = sandbox->no_new_privs },
		{ .name = "version", .text = NORMD_VERSION },
	};

	log_event(LOG_INFO, "listening", fields, sizeof(fields) / sizeof(fields[0]));
	if (!sandbox->complete)
		log_printf(LOG_WARN, "a part of the sandbox is off: the line \"listening\" says why");
}

/* A variable of the environment that nothing reads. */
static void
warn_of_stray(void *arg, const char *name, const char *meant)
{
	(void)arg;
	log_event(LOG_WARN, "a variable of the environment is not a setting, but nearly one",
	    (const struct log_field[]){ { .name = "variable", .text = name }, { .name = "meant", .text = meant } }, 2);
}

static enum exit_code
serve(struct server *server, const struct config *config, const struct sandbox_state *sandbox)
{
	struct err e = { 0 };
	unsigned long cut;

	notify_status("Starting");
	if (server_start(server, config, &e) < 0)
		return fail(&e);
	log_listening(server, config, sandbox);
	cut = lifecycle_run(server, config);
	log_event(
	    LOG_INFO, "stopped", (const struct log_field[]){ { .name = "requests_cut", .number = (double)cut } }, 1);
	return EXIT_DONE;
}

int
main(int argc, char **argv)
{
	struct config config;
	struct server server;
	struct sandbox_state sandbox;
	struct err e = { 0 };
	enum exit_code code;

	if (standard_streams_open() < 0)
		return EXIT_FAILED;
	if (argc > 1 && argv[1][0] != '-')
		return command_run(argc, argv);
	signals_block(); /* before anything that takes time: a signal that comes now is obeyed when normd serves */
	if (config_read(&config, argc, argv, &e) < 0) {
		config_fini(&config);
		return fail(&e);
	}
	if (config.help) {
		config_help(stdout);
		command_list(stdout);
		return EXIT_DONE;
	}
	if (config.version) {
		printf("normd %s\n", NORMD_VERSION);
		return EXIT_DONE;
	}
	if (config.check) {
		code = config_check(&config);
		config_fini(&config);
		return code;
	}
	tune_allocator(&config);
	metrics_name_version(NORMD_VERSION);
	log_set(config.level, config.format);
	warn_of_memory(&config.memory);
	config_find_strays(warn_of_stray, NULL);
	notify_open();
	if (prepare(&server, &config, &sandbox, &e) < 0)
		return fail(&e);
	code = serve(&server, &config, &sandbox);
	notify_close();
	log_stop();
	config_fini(&config);
	return code;
}
