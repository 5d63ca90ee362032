/* SPDX-License-Identifier: MIT */
/*
 * A file of settings: lines `name = value`, blank lines, and comments from # on (at a line's start or after a blank). A
 * value may stand in quotes, single or double, between which everything is taken as it is. UTF-8, with or without a
 * byte order mark; lines end in LF or CRLF.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

#define CONFIG_FILE_BYTES_MAX ((size_t)1 << 20)

struct config_line {
	const char *name;
	const char *value;
	unsigned number; /* of the line, from 1 */
	char *next;      /* what follows */
};

/* A file's name for a message: its end, if it is long. Returns `out`. */
#define CONFIG_FILE_SHOWN 160
const char *config_file_show(const char *path, char out[CONFIG_FILE_SHOWN]);

/*
 * Reads the whole file into new memory, NUL-terminated, which the caller frees. -1 with `e` (bad_parameter): it cannot
 * be read, is too large, or is not a text.
 */
int config_file_read(const char *path, char **text, struct err *e) MUST_CHECK;

/* Before the first line of a text. */
struct config_line config_file_begin(char *text);

/*
 * The next setting. Writes NULs into the text. 1; 0 at the end; -1 with `e` (bad_parameter), whose detail does not say
 * where: the line's number does.
 */
int config_file_next(struct config_line *line, struct err *e) MUST_CHECK;
