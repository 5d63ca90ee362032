/* SPDX-License-Identifier: MIT */
/* Commands other than serving: `normd NAME [OPTION VALUE]...`, in a table, each with its options (arguments.h). */
#pragma once

#include <stdio.h>

#include "base/compiler.h"
#include "base/err.h"
#include "server/arguments.h"
#include "server/exit_code.h"

#define COMMAND_OPTIONS_MAX 4

struct command {
	const char *name;
	const char *help;
	struct argument options[COMMAND_OPTIONS_MAX]; /* up to the first without a flag */
	/* `values` are the options', in their order. EXIT_FAILED with `e`, or if it has reported the failure itself. */
	enum exit_code (*run)(const char *const *values, struct err *e);
};

/* command_offline.c */
extern const struct command command_check, command_restore, command_migrate;

/* command_token.c */
extern const struct command command_token;

/* The commands, by their number from 0; NULL beyond the last. */
const struct command *command_at(size_t i);
size_t command_option_count(const struct command *c);

/* Runs the command that argv[1] names. Errors go to standard error. */
enum exit_code command_run(int argc, char *const *argv) MUST_CHECK;

/* The list of commands, for the daemon's help. */
void command_list(FILE *out);
