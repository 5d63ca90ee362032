/* SPDX-License-Identifier: MIT */
/*
 * The log: one structured line per event on standard error, as JSON or as key=value text (log_line.h). A thread writes
 * the lines a few milliseconds later, many at a time, so that no other thread waits for the log's reader. If
 * LOG_PENDING_MAX bytes are waiting or a line cannot be written, lines are dropped, and a later line says how many.
 *
 * Threads may log at once. Before log_start and after log_stop lines are written directly.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

#define LOG_PENDING_MAX ((size_t)1 << 20)

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
extern const char *const log_level_names[]; /* by enum log_level; NULL-terminated */
enum log_format { LOG_JSON, LOG_TEXT };

/* A field of a line: a text, or, if that is NULL, a number. */
struct log_field {
	const char *name;
	const char *text;
	double number; /* shown with up to 3 decimals */
};

/* Which lines are written, and how; before the thread is started. */
void log_set(enum log_level least, enum log_format format);

/* Starts the thread, after log_set. */
int log_start(enum log_level least, enum log_format format);

/* Writes the lines that wait and stops the thread. */
void log_stop(void);

/* The least level whose lines are written. Any thread may change it at any time. */
enum log_level log_level(void);

/* Changes it. A line says so, whatever the level, with `by`, what asked for it. */
void log_set_level(enum log_level least, const char *by);

/* Whether lines of this level are written; for callers to whom making one is work. */
bool log_enabled(enum log_level level);

/* One event. Names and texts are copied. */
void log_event(enum log_level level, const char *message, const struct log_field *fields, size_t count);

/* One event without fields, printf-like. */
void log_printf(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
