/* SPDX-License-Identifier: MIT */
#include "tests/memory/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_S 30

int
client_connect(unsigned port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = { htonl(INADDR_LOOPBACK) }
	};
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Who hangs up while we send may have answered before: that is not looked at here. */
static void
send_all(int fd, const void *bytes, size_t len, int flags)
{
	const char *p = bytes;
	ssize_t n;

	while (len > 0 && (n = send(fd, p, len, MSG_NOSIGNAL | flags)) > 0) {
		p += n;
		len -= (size_t)n;
	}
}

static bool
receive(int fd, struct answered *a, size_t *len)
{
	ssize_t n = *len < ANSWER_BYTES_MAX ? recv(fd, a->bytes + *len, ANSWER_BYTES_MAX - *len, 0) : 0;

	a->timed_out = n < 0 && errno == EAGAIN;
	if (n > 0)
		*len += (size_t)n;
	a->bytes[*len] = '\0';
	return n > 0;
}

/* Takes the chunks' framing out of what follows the head; true when the last chunk is there. */
static bool
join_chunks(struct answered *a, size_t len)
{
	char *from = a->bytes + a->head_len, *to = from, *end = a->bytes + len, *data;
	size_t size;

	a->body_len = 0;
	while ((data = memmem(from, (size_t)(end - from), "\r\n", 2)) != NULL) {
		size = strtoul(from, NULL, 16);
		data += 2;
		if ((size_t)(end - data) < size + 2)
			return false;
		if (size == 0)
			return true;
		memmove(to, data, size);
		to += size;
		a->body_len += size;
		from = data + size + 2;
	}
	return false;
}

/* Whether all of a chunked body is there: its last chunk is empty, and digits and lists never look like it. */
static bool
has_last_chunk(const struct answered *a, size_t len)
{
	static const char last[] = "\r\n0\r\n\r\n";

	return len >= a->head_len + 5 && memcmp(a->bytes + len - 7, last, 7) == 0;
}

bool
answered_has(const struct answered *a, const char *line)
{
	const char *at = strcasestr(a->bytes, line);

	return at != NULL && at < a->bytes + a->head_len;
}

const char *
answered_value(const struct answered *a, const char *name)
{
	return answered_has(a, name) ? strcasestr(a->bytes, name) + strlen(name) : "\r";
}

static bool
read_head(int fd, struct answered *a, size_t *len)
{
	const char *end;

	while ((end = strstr(a->bytes, "\r\n\r\n")) == NULL)
		if (!receive(fd, a, len))
			return false;
	a->head_len = (size_t)(end - a->bytes) + 4;
	a->status = (unsigned)strtoul(a->bytes + strlen("HTTP/1.1 "), NULL, 10);
	return true;
}

void
client_read(int fd, const struct message *m, struct answered *a)
{
	const char *length;
	size_t len = 0, size;

	a->complete = a->timed_out = false;
	a->status = 0;
	a->head_len = a->body_len = 0;
	a->bytes[0] = '\0';
	if (!read_head(fd, a, &len))
		return;
	if (strcmp(m->method, "HEAD") == 0 || a->status == 204) {
		a->complete = true;
		return;
	}
	if (answered_has(a, "\r\nTransfer-Encoding: chunked")) {
		while (!has_last_chunk(a, len) && receive(fd, a, &len))
			;
		a->complete = has_last_chunk(a, len) && join_chunks(a, len);
		return;
	}
	length = answered_value(a, "\r\nContent-Length: ");
	size = strtoul(length, NULL, 10);
	while (len < a->head_len + size && receive(fd, a, &len))
		;
	a->body_len = len - a->head_len;
	a->complete = *length != '\r' && a->body_len == size;
}

void
client_send(int fd, const struct message *m)
{
	const char *headers = m->headers != NULL ? m->headers : "";
	char head[2048];
	int len = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: t\r\n%s", m->method,
	    m->target, headers);

	if (strstr(headers, "Content-Length") == NULL)
		len += snprintf(head + len, sizeof(head) - (size_t)len, "Content-Length: %zu\r\n", m->body_len);
	len += snprintf(head + len, sizeof(head) - (size_t)len, "\r\n");
	send_all(fd, head, (size_t)len, m->body_len > 0 ? MSG_MORE : 0);
	send_all(fd, m->body, m->body_len, 0);
}

void
client_ask(int fd, const struct message *m, struct answered *out)
{
	client_send(fd, m);
	client_read(fd, m, out);
}
