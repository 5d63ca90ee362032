/* SPDX-License-Identifier: MIT */
/*
 * The log: one structured line per event, on standard error, as JSON or as key=value text (log_line.h). A thread writes
 * the lines some milliseconds after they were made, many at a time, so that nobody waits for whoever reads the log.
 * When the reader is so slow that LOG_PENDING_MAX bytes wait, or a line cannot be written, lines are dropped; a line
 * then says how many.
 *
 * Any thread may log. Before log_start and after log_stop lines are written directly.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

#define LOG_PENDING_MAX ((size_t)1 << 20)

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_JSON, LOG_TEXT };

/* A line's field. A NULL `text` makes it a number. */
struct log_field {
	const char *name;
	const char *text;
	double number; /* shown with up to 3 decimals */
};

/* Starts the thread; -1 when it cannot be started. */
int log_start(enum log_level least, enum log_format format);

/* Writes what waits and stops the thread. */
void log_stop(void);

/* Whether a line of this level would be written: where it takes work to make one. */
bool log_enabled(enum log_level level);

/* One event. Names and texts are copied. */
void log_event(enum log_level level, const char *message, const struct log_field *fields, size_t count);

/* One event without fields, printf-like. */
void log_printf(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
