/* SPDX-License-Identifier: MIT */
/*
 * load: makes load on a daemon and counts what comes of it, through kills and restarts.
 *
 *   load [--layers N] [--rows N] [--bound-ms N] [--name NAME] [--bursts] PORT_FILE ROLE=CLIENTS...
 *
 * The roles are those of request.c. The port is read anew for every connection. With --bursts all clients send at once,
 * and again when each has its answer, so that between bursts nothing happens that could wake a server that sleeps with
 * a request unanswered. A request that waits longer than the bound is counted as stalled.
 *
 * It begins at once, and obeys lines on its standard input:
 *
 *   hold     sends nothing new; once nothing is under way any more (answered, or its connection lost) prints a line of
 *            JSON
 *   go       goes on
 *   finish   begins no new update, sends the pending ones until each is acknowledged, prints the same line, exits
 *
 * It exits when its standard input ends, so that it never outlives who started it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tests/load/load.h"

#define TICK_US 1000u
#define EVENTS 256

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
usage(void)
{
	fprintf(stderr,
	    "usage: load [--layers N] [--rows N] [--bound-ms N] [--name NAME] [--bursts] PORT_FILE ROLE=CLIENTS...\n");
	exit(2);
}

static unsigned
number(const char *text, unsigned max)
{
	char *end;
	unsigned long n = text == NULL ? 0 : strtoul(text, &end, 10);

	if (n == 0 || n > max || *end != '\0')
		usage();
	return (unsigned)n;
}

/* Options that take a value; NULL where it is none of them. */
static int
option(struct load *load, const char *name, const char *value)
{
	if (strcmp(name, "--layers") == 0)
		load->layer_count = number(value, LAYERS_MAX);
	else if (strcmp(name, "--rows") == 0)
		load->rows = number(value, ROWS_MAX);
	else if (strcmp(name, "--bound-ms") == 0)
		load->bound_us = (uint64_t)number(value, 1000000) * 1000;
	else if (strcmp(name, "--name") == 0 && value != NULL)
		load->name = value;
	else
		return -1;
	return 0;
}

/* "ROLE=CLIENTS": a group and its clients. */
static void
add_group(struct load *load, char *text)
{
	struct group *group = &load->groups[load->group_count++];
	char *count = strchr(text, '=');
	unsigned n = number(count == NULL ? NULL : count + 1, 100000);

	*count = '\0';
	group->role = role_find(text);
	if (group->role == NULL)
		usage();
	load->clients = realloc(load->clients, (load->client_count + n) * sizeof(*load->clients));
	if (load->clients == NULL)
		abort();
	for (unsigned i = 0; i < n; i++, load->client_count++)
		client_init(&load->clients[load->client_count], load, group, (unsigned)load->client_count);
}

static void
parse(struct load *load, int argc, char **argv)
{
	int i = 1;

	for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
		if (strcmp(argv[i], "--bursts") == 0)
			load->bursts = true;
		else if (option(load, argv[i], argv[i + 1]) < 0)
			usage();
		else
			i++;
	}
	if (i + 1 >= argc)
		usage();
	load->port_file = argv[i++];
	load->groups = calloc((size_t)(argc - i), sizeof(*load->groups));
	if (load->groups == NULL)
		abort();
	for (; i < argc; i++)
		add_group(load, argv[i]);
}

static void
obey(struct load *load, const char *word)
{
	load->holding = strcmp(word, "hold") == 0;
	load->finishing = strcmp(word, "finish") == 0;
	load->reported = !load->holding && !load->finishing;
	if (load->reported && strcmp(word, "go") != 0)
		usage();
}

/* Obeys the lines that stand on standard input; they are short, and come whole. */
static void
obey_all(struct load *load)
{
	char lines[256], *save = NULL;
	ssize_t n = read(STDIN_FILENO, lines, sizeof(lines) - 1);

	if (n <= 0)
		exit(0);
	lines[n] = '\0';
	for (char *word = strtok_r(lines, "\n", &save); word != NULL; word = strtok_r(NULL, "\n", &save))
		obey(load, word);
}

static bool
all_are_quiet(const struct load *load)
{
	for (size_t i = 0; i < load->client_count; i++)
		if (!client_is_quiet(&load->clients[i]) || (load->finishing && load->clients[i].pending))
			return false;
	return true;
}

static bool
all_had_their_turn(const struct load *load)
{
	for (size_t i = 0; i < load->client_count; i++)
		if (load->clients[i].turn < load->turn)
			return false;
	return true;
}

/* What is to be done about once a millisecond. */
static void
tick(struct load *load, uint64_t now_us)
{
	for (size_t i = 0; i < load->client_count; i++)
		client_tick(&load->clients[i], now_us);
	if (load->bursts && all_had_their_turn(load))
		load->turn++;
	if (load->reported || !all_are_quiet(load))
		return;
	report(load);
	load->reported = true;
	if (load->finishing)
		exit(0);
}

static void
run(struct load *load)
{
	struct epoll_event events[EVENTS], commands = { .events = EPOLLIN, .data.ptr = NULL };
	uint64_t ticked_us = 0, now_us;
	int n;

	if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &commands) < 0)
		abort();
	for (;;) {
		n = epoll_wait(load->epoll_fd, events, EVENTS, 1);
		if (n < 0 && errno != EINTR)
			abort();
		now_us = now();
		for (int i = 0; i < n; i++)
			if (events[i].data.ptr == NULL)
				obey_all(load);
			else
				client_event(events[i].data.ptr, events[i].events, now_us);
		if (now_us - ticked_us < TICK_US)
			continue;
		ticked_us = now_us;
		tick(load, now_us);
	}
}

int
main(int argc, char **argv)
{
	struct load load = {
		.name = "load", .layer_count = 1, .rows = 2, .bound_us = 2000000, .turn = 1, .reported = true
	};
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (load.epoll_fd < 0)
		abort();
	parse(&load, argc, argv);
	run(&load);
}
