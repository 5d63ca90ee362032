/* SPDX-License-Identifier: MIT */
/*
 * The options of a command line, from a table: "--flag value" or "--flag=value" wins over the environment variable,
 * which wins over the default. For main's thread, at the start.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

struct argument {
	const char *flag;     /* "--listen" */
	const char *takes;    /* what follows it, "ADDR:PORT"; NULL: nothing, it is "true" when it is given */
	const char *env;      /* its environment variable; NULL: none */
	const char *fallback; /* the default; NULL: it must be given */
	const char *help;
};

struct arguments {
	const char *program; /* "normd", "normd check"; for messages */
	const struct argument *table;
	size_t count;
	const char *const *modes; /* what its caller takes beside the table, up to NULL; for suggestions */
};

/* Sets the values, one for each row, to the environment's or the default. */
void arguments_set_defaults(const struct arguments *a, const char **values);

/*
 * Reads the option at argv[*i] into its value and moves *i to its last argument. Gives the option's row, or -1 with `e`
 * (bad_parameter).
 */
int arguments_take(
    const struct arguments *a, int argc, char *const *argv, int *i, const char **values, struct err *e) MUST_CHECK;

/* Refuses a command line without an option that must be given. */
int arguments_check(const struct arguments *a, const char *const *values, struct err *e) MUST_CHECK;

/* Print one row, or all, for a help text. */
void arguments_print_row(const struct argument *row, FILE *out);
void arguments_print(const struct arguments *a, FILE *out);

/* Whether a command line asks for help here: "--help" or "-h". */
bool arguments_ask_help(const char *arg);
