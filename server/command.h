/* SPDX-License-Identifier: MIT */
/*
 * Commands other than serving: `normd NAME [OPTION VALUE]...`. One table of them, each with its options, from which the
 * parser and the help texts come. A flag wins over its environment variable, as in config.h.
 */
#ifndef SERVER_COMMAND_H
#define SERVER_COMMAND_H

#include <stdio.h>

#include "base/compiler.h"
#include "base/err.h"
#include "server/arguments.h"

/* What main returns. */
enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define COMMAND_OPTIONS_MAX 4

struct command {
	const char *name;
	const char *help;
	struct argument options[COMMAND_OPTIONS_MAX]; /* up to the first without a flag */
	/*
	 * Does it; `values` are the options', in their order. EXIT_FAILED with `e`, or when it has said itself what is
	 * wrong.
	 */
	enum exit_code (*run)(const char *const *values, struct err *e);
};

/* command_check.c, command_restore.c */
extern const struct command command_check, command_restore;

/* Runs the command that argv[1] names, and says what is wrong on standard error. */
enum exit_code command_run(int argc, char *const *argv) MUST_CHECK;

/* The list of commands, for the daemon's help. */
void command_list(FILE *out);

#endif
