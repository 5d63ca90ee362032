/* SPDX-License-Identifier: MIT */
#include "server/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define MESSAGE_BYTES (NOTIFY_STATUS_MAX + 128)
#define EXTEND_PAUSE_US ((uint64_t)1000000)

static struct {
	int fd; /* -1: nobody listens */
	struct sockaddr_un address;
	socklen_t address_len;
	uint64_t watchdog_us;
	uint64_t extended_us; /* when it was asked for more time last; 0: never */
	bool full;            /* the last message was not taken: the reader has stopped, and is not waited for again */
	char status[NOTIFY_STATUS_MAX];
} notify = { .fd = -1 };

/* An absolute path, or with @ a name of the abstract kind, which has a NUL there and no NUL at its end. */
static int
set_address(const char *text)
{
	const size_t len = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof(notify.address.sun_path))
		return -1;
	memset(&notify.address, 0, sizeof(notify.address));
	notify.address.sun_family = AF_UNIX;
	memcpy(notify.address.sun_path, text, len);
	if (text[0] == '@')
		notify.address.sun_path[0] = '\0';
	notify.address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (text[0] == '/'));
	return 0;
}

/* A whole number above 0; else 0. */
static uint64_t
read_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	unsigned long long number;

	if (text == NULL || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	number = strtoull(text, &end, 10);
	return *end == '\0' && errno == 0 ? number : 0;
}

/* The variables may be meant for another process, from which this one has inherited them. */
static uint64_t
read_watchdog(void)
{
	const char *pid = getenv("WATCHDOG_PID");

	return pid != NULL && read_number("WATCHDOG_PID") != (uint64_t)getpid() ? 0 : read_number("WATCHDOG_USEC");
}

void
notify_open(void)
{
	static const struct timeval patience = { .tv_sec = 1 };
	const char *text = getenv("NOTIFY_SOCKET");

	if (text == NULL || *text == '\0')
		return;
	if (set_address(text) < 0) {
		log_event(LOG_WARN, "NOTIFY_SOCKET is not an absolute path nor a name with @: systemd is told nothing",
		    (const struct log_field[]){ { .name = "socket", .text = text } }, 1);
		return;
	}
	notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify.fd < 0) {
		log_event(LOG_WARN, "the socket to systemd cannot be opened: it is told nothing",
		    (const struct log_field[]){ { .name = "reason", .text = strerror(errno) } }, 1);
		return;
	}
	/* A reader that has stopped must not stop main for long. */
	(void)setsockopt(notify.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	notify.watchdog_us = read_watchdog();
}

void
notify_close(void)
{
	if (notify.fd >= 0)
		close(notify.fd);
	notify.fd = -1;
	notify.full = false;
	notify.watchdog_us = notify.extended_us = 0;
	notify.status[0] = '\0';
}

PRINTF_LIKE(1, 2)
static void
send_lines(const char *format, ...)
{
	char message[MESSAGE_BYTES];
	va_list ap;
	ssize_t rc;
	int len;

	if (notify.fd < 0)
		return;
	va_start(ap, format);
	len = vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(message))
		return;
	do
		rc = sendto(notify.fd, message, (size_t)len, MSG_NOSIGNAL | (notify.full ? MSG_DONTWAIT : 0),
		    (const struct sockaddr *)&notify.address, notify.address_len);
	while (rc < 0 && errno == EINTR);
	/* The first time it is a warning: systemd may wait in vain for a daemon that is ready. */
	if (rc < 0)
		log_event(notify.full ? LOG_DEBUG : LOG_WARN, "systemd cannot be told",
		    (const struct log_field[]){ { .name = "reason", .text = strerror(errno) } }, 1);
	notify.full = rc < 0;
}

void
notify_status(const char *format, ...)
{
	char status[NOTIFY_STATUS_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(status, sizeof(status), format, ap);
	va_end(ap);
	for (char *p = status; *p != '\0'; p++)
		if (*p == '\n')
			*p = ' '; /* it would begin another line */
	if (strcmp(status, notify.status) == 0)
		return;
	memcpy(notify.status, status, sizeof(status));
	send_lines("STATUS=%s", status);
}

void
notify_ready(void)
{
	send_lines("READY=1\nSTATUS=%s", notify.status);
}

void
notify_reloading(void)
{
	send_lines("RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reading files again", clock_monotonic_us());
}

void
notify_stopping(uint64_t at_most_us)
{
	send_lines("STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64, at_most_us);
}

void
notify_extend(uint64_t at_most_us)
{
	const uint64_t now_us = clock_monotonic_us();

	if (notify.extended_us != 0 && now_us - notify.extended_us < EXTEND_PAUSE_US)
		return;
	notify.extended_us = now_us;
	send_lines("EXTEND_TIMEOUT_USEC=%" PRIu64, at_most_us);
}

void
notify_alive(void)
{
	send_lines("WATCHDOG=1");
}

uint64_t
notify_watchdog_us(void)
{
	return notify.fd < 0 ? 0 : notify.watchdog_us;
}
