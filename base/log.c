/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log_line.h"
#include "base/metrics.h"
#include "base/pulse.h"

/* How long the thread lets lines gather: so it wakes hundreds of times a second, not once a line. */
#define GATHER_US ((uint64_t)5000)

/* `format` is set before other threads log, `rest` is the thread's; `lock` guards all else but `least`. */
static struct {
	atomic_int least;
	enum log_format format;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct buf pending;    /* whole lines */
	unsigned long dropped; /* lines that were not written, and are not reported yet */
	bool idle;             /* the thread waits for a line */
	bool running;
	bool stopping;
	pthread_t thread;
	struct log_line rest; /* of a line of which only the beginning was written: it must be written first */
} logger = { .least = LOG_INFO,
	.format = LOG_TEXT,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.pending = { .limit = LOG_PENDING_MAX } };

/*
 * Returns how many bytes were written: fewer than `len` if the reader is gone or the disk is full. A thread that waits
 * for the log's reader does not hang: the reader may stop for as long as it likes.
 */
static size_t
write_some(const char *bytes, size_t len)
{
	struct pollfd writable = { .fd = STDERR_FILENO, .events = POLLOUT };
	size_t done = 0;
	ssize_t n;

	pulse_wait();
	while (done < len) {
		n = write(STDERR_FILENO, bytes + done, len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			(void)poll(&writable, 1, -1);
		else if (n == 0 || errno != EINTR)
			break;
	}
	pulse_work();
	return done;
}

static unsigned long
count_lines(const char *bytes, size_t len)
{
	unsigned long count = 0;

	for (const char *p = bytes, *end = bytes + len; p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL;
	     p++)
		count++;
	return count;
}

/* Writes the rest of a line that was begun. False: some of it is left. */
static bool
write_rest(void)
{
	size_t done = write_some(logger.rest.bytes, logger.rest.len);

	logger.rest.len -= done;
	memmove(logger.rest.bytes, logger.rest.bytes + done, logger.rest.len);
	return logger.rest.len == 0;
}

/* Writes whole lines; returns how many are lost. A line that was begun is ended later, when writing works again. */
static unsigned long
write_lines(const char *bytes, size_t len)
{
	size_t done, begun;
	const char *end;

	if (!write_rest())
		return count_lines(bytes, len);
	done = write_some(bytes, len);
	if (done == len)
		return 0;
	if (done > 0 && bytes[done - 1] != '\n') {
		end = memchr(bytes + done, '\n', len - done);
		begun = (size_t)(end + 1 - (bytes + done));
		memcpy(logger.rest.bytes, bytes + done, begun);
		logger.rest.len = begun;
		done += begun;
	}
	return count_lines(bytes + done, len - done);
}

/* Reports how many lines are missing; returns how many are still to be reported. */
static unsigned long
report_dropped(unsigned long dropped)
{
	struct log_line line;
	const struct log_field count = { .name = "count", .number = (double)dropped };

	if (dropped == 0)
		return 0;
	log_line_make(&line, logger.format, LOG_WARN, "log lines dropped", &count, 1);
	return write_lines(line.bytes, line.len) == 0 ? 0 : dropped;
}

/* Waits for a signal, until a moment where there is one. False: the time is over. */
static bool
wait_locked(const struct timespec *until)
{
	int rc;

	pulse_wait();
	rc = until == NULL ? pthread_cond_wait(&logger.wake, &logger.lock) :
			     pthread_cond_timedwait(&logger.wake, &logger.lock, until);
	pulse_work();
	return rc != ETIMEDOUT;
}

/* Waits for a line, and then lets more gather. */
static void
wait_for_lines_locked(void)
{
	struct timespec until;

	logger.idle = true;
	while (logger.pending.len == 0 && !logger.stopping)
		(void)wait_locked(NULL);
	logger.idle = false;
	until = clock_timespec(clock_monotonic_us() + GATHER_US);
	while (logger.pending.len < LOG_PENDING_MAX / 2 && !logger.stopping && wait_locked(&until))
		;
}

static void *
log_main(void *arg)
{
	struct buf writing, full;
	unsigned long dropped, lost;
	bool stop;

	(void)arg;
	pulse_begin("log");
	buf_init(&writing, LOG_PENDING_MAX);
	do {
		pthread_mutex_lock(&logger.lock);
		wait_for_lines_locked();
		full = logger.pending;
		logger.pending = writing;
		writing = full;
		dropped = logger.dropped;
		logger.dropped = 0;
		stop = logger.stopping;
		pthread_mutex_unlock(&logger.lock);
		lost = write_lines(writing.bytes, writing.len);
		metrics_add(METRIC_LOG_DROPPED, 0, lost);
		dropped += lost;
		buf_clear(&writing);
		dropped = report_dropped(dropped);
		pthread_mutex_lock(&logger.lock);
		logger.dropped += dropped;
		pthread_mutex_unlock(&logger.lock);
	} while (!stop);
	buf_fini(&writing);
	return NULL;
}

void
log_set(enum log_level least, enum log_format format)
{
	atomic_store(&logger.least, (int)least);
	logger.format = format;
}

int
log_start(enum log_level least, enum log_format format)
{
	log_set(least, format);
	logger.stopping = false;
	logger.idle = false;
	clock_cond_init(&logger.wake);
	logger.running = pthread_create(&logger.thread, NULL, log_main, NULL) == 0;
	if (!logger.running)
		pthread_cond_destroy(&logger.wake);
	return logger.running ? 0 : -1;
}

void
log_stop(void)
{
	if (!logger.running)
		return;
	pthread_mutex_lock(&logger.lock);
	logger.stopping = true;
	pthread_cond_signal(&logger.wake);
	pthread_mutex_unlock(&logger.lock);
	pthread_join(logger.thread, NULL);
	logger.running = false;
	buf_fini(&logger.pending);
	buf_init(&logger.pending, LOG_PENDING_MAX);
	pthread_cond_destroy(&logger.wake);
}

/* Hands a line to the thread, or counts it as dropped. */
static void
enqueue_locked(const struct log_line *line)
{
	const size_t before = logger.pending.len;

	buf_add(&logger.pending, line->bytes, line->len);
	if (logger.pending.failed) {
		logger.pending.failed = false; /* this line's alone: the next may find room */
		logger.dropped++;
		metrics_count(METRIC_LOG_DROPPED);
	}
	if (logger.idle || (before < LOG_PENDING_MAX / 2 && logger.pending.len >= LOG_PENDING_MAX / 2)) {
		logger.idle = false;
		pthread_cond_signal(&logger.wake);
	}
}

static void
write_event(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
	struct log_line line;

	log_line_make(&line, logger.format, level, message, fields, count);
	if (logger.running) {
		pthread_mutex_lock(&logger.lock);
		enqueue_locked(&line);
		pthread_mutex_unlock(&logger.lock);
	} else {
		(void)write_some(line.bytes, line.len);
	}
}

enum log_level
log_level(void)
{
	return (enum log_level)atomic_load_explicit(&logger.least, memory_order_relaxed);
}

bool
log_enabled(enum log_level level)
{
	return level >= log_level();
}

void
log_event(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
	if (log_enabled(level))
		write_event(level, message, fields, count);
}

void
log_set_level(enum log_level least, const char *by)
{
	const enum log_level before = (enum log_level)atomic_exchange(&logger.least, (int)least);

	write_event(LOG_INFO, "log level",
	    (const struct log_field[]){ { .name = "to", .text = log_level_names[least] },
		{ .name = "from", .text = log_level_names[before] }, { .name = "by", .text = by } },
	    3);
}

void
log_printf(enum log_level level, const char *format, ...)
{
	char message[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	log_event(level, message, NULL, 0);
}
