#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/quote.h"

#define LINE_MAX_BYTES ((size_t)16 * 1024)

static const char *const level_names[] = { "debug", "info", "warn", "error" };

/* One log a process. `least` and `format` are set before any other thread logs; the rest is guarded by `lock`. */
static struct {
	enum log_level least;
	enum log_format format;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct buf pending;
	unsigned long dropped;
	bool running;
	bool stopping;
	pthread_t thread;
} logger = { .least = LOG_INFO,
	.format = LOG_TEXT,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.wake = PTHREAD_COND_INITIALIZER,
	.pending = { .limit = LOG_PENDING_MAX } };

static void
write_all(const char *bytes, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(STDERR_FILENO, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nobody reads: there is nobody to tell either */
		bytes += n;
		len -= (size_t)n;
	}
}

static void *
log_main(void *arg)
{
	struct buf writing;
	bool stop = false;

	(void)arg;
	buf_init(&writing, LOG_PENDING_MAX);
	while (!stop) {
		pthread_mutex_lock(&logger.lock);
		while (logger.pending.len == 0 && !logger.stopping)
			pthread_cond_wait(&logger.wake, &logger.lock);
		struct buf swap = logger.pending;

		logger.pending = writing;
		writing = swap;
		stop = logger.stopping;
		pthread_mutex_unlock(&logger.lock);
		write_all(writing.bytes, writing.len);
		buf_clear(&writing);
	}
	buf_fini(&writing);
	return NULL;
}

int
log_start(enum log_level least, enum log_format format)
{
	logger.least = least;
	logger.format = format;
	logger.stopping = false;
	logger.running = pthread_create(&logger.thread, NULL, log_main, NULL) == 0;
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
}

static void
format_json(
    struct buf *b, const char *stamp, enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
	buf_printf(b, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", stamp, level_names[level]);
	quote_json(b, message);
	for (size_t i = 0; i < count; i++) {
		buf_printf(b, ",\"%s\":", fields[i].name);
		if (fields[i].text != NULL)
			quote_json(b, fields[i].text);
		else
			buf_printf(b, "%.15g", fields[i].number);
	}
	buf_text(b, "}\n");
}

static bool
is_plain(const char *text)
{
	return *text != '\0' && strpbrk(text, " \"=\\\t\n\r") == NULL;
}

static void
format_text(
    struct buf *b, const char *stamp, enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
	buf_printf(b, "%s %-5s %s", stamp, level_names[level], message);
	for (size_t i = 0; i < count; i++) {
		buf_printf(b, " %s=", fields[i].name);
		if (fields[i].text == NULL)
			buf_printf(b, "%.15g", fields[i].number);
		else if (is_plain(fields[i].text))
			buf_text(b, fields[i].text);
		else
			quote_json(b, fields[i].text);
	}
	buf_byte(b, '\n');
}

/* Whether so much more can wait for the thread. A failure is this line's alone: the next may find room. */
static bool
has_room_locked(size_t len)
{
	bool room = buf_reserve(&logger.pending, len) != NULL;

	logger.pending.failed = false;
	return room;
}

/* Hands a line to the thread, or counts it as dropped. */
static void
enqueue_locked(const struct buf *line)
{
	char note[96];
	int len = 0;

	if (logger.dropped > 0)
		len = snprintf(note, sizeof(note),
		    logger.format == LOG_JSON ? "{\"level\":\"warn\",\"message\":\"log lines dropped\","
						"\"count\":%lu}\n" :
						"warn log lines dropped count=%lu\n",
		    logger.dropped);
	if (line->failed || !has_room_locked(line->len + (size_t)len)) {
		logger.dropped++;
		return;
	}
	buf_add(&logger.pending, note, (size_t)len);
	buf_add(&logger.pending, line->bytes, line->len);
	logger.dropped = 0;
	pthread_cond_signal(&logger.wake);
}

bool
log_enabled(enum log_level level)
{
	return level >= logger.least;
}

void
log_event(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
	char stamp[CLOCK_STAMP_BYTES];
	struct buf line;

	if (!log_enabled(level))
		return;
	clock_stamp(stamp);
	buf_init(&line, LINE_MAX_BYTES);
	(logger.format == LOG_JSON ? format_json : format_text)(&line, stamp, level, message, fields, count);
	if (logger.running) {
		pthread_mutex_lock(&logger.lock);
		enqueue_locked(&line);
		pthread_mutex_unlock(&logger.lock);
	} else if (!line.failed) {
		write_all(line.bytes, line.len);
	}
	buf_fini(&line);
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
