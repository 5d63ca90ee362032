/* SPDX-License-Identifier: MIT */
/*
 * A line of the log, as JSON or as key=value pairs. Its length is bounded: a text that is too long is cut, with a note
 * of its length. All bytes are printable ASCII, because texts come from clients and the log may be shown on a terminal.
 * What looks like a token of normd's (server/tokens_file.h), wherever a client has put it, is masked by asterisks.
 */
#pragma once

#include "base/log.h"

/* The most fields of a line, and the most bytes of one field's name and of one text. */
#define LOG_FIELDS_MAX ((size_t)20)
#define LOG_NAME_MAX ((size_t)32)
#define LOG_TEXT_MAX ((size_t)1024)
/* The stamp, the level and the message; then fields with their names, quotes and the note of what was cut. */
#define LOG_LINE_BYTES ((LOG_TEXT_MAX + 128) * (LOG_FIELDS_MAX + 1))

struct log_line {
	size_t len;
	char bytes[LOG_LINE_BYTES]; /* ends with a line feed; no NUL */
};

/* Makes the line, with the current time. `fields`: at most LOG_FIELDS_MAX, with names of at most LOG_NAME_MAX bytes. */
void log_line_make(struct log_line *line, enum log_format format, enum log_level level, const char *message,
    const struct log_field *fields, size_t count);
