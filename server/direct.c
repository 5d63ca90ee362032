/* SPDX-License-Identifier: MIT */
#include "server/direct.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/buf.h"
#include "server/library.h"
#include "server/request_id.h"
#include "server/stream.h"

#define ANSWER_BYTES_MAX ((size_t)16 << 10)

static void
write_date(struct buf *b)
{
	const time_t now = time(NULL);
	char text[64];
	struct tm tm;

	if (gmtime_r(&now, &tm) != NULL && strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
		buf_printf(b, "Date: %s\r\n", text);
}

bool
direct_write_header(void *head, const char *name, const char *value)
{
	buf_printf(head, "%s: %s\r\n", name, value);
	return true;
}

static void
write_head(struct buf *b, const struct problem *p, const struct buf *headers, size_t body_bytes)
{
	const unsigned status = err_row(p->e->code)->status;

	buf_printf(b, "HTTP/1.1 %u %s\r\n", status, MHD_get_reason_phrase_for(status));
	write_date(b);
	buf_printf(b, "Connection: close\r\nContent-Length: %zu\r\n", body_bytes);
	(void)problem_headers(p, direct_write_header, b);
	if (headers != NULL)
		buf_add(b, headers->bytes, headers->len);
	buf_text(b, "\r\n");
}

/* Under TLS as soon as there is a session. */
static bool
send_all(int fd, const char *bytes, size_t len)
{
	struct stream *s = stream_of(fd);

	if (s != NULL && s->tls.established)
		return tls_session_send(s, bytes, len);
	return send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

static uint64_t
send_problem(int fd, const struct problem *p, const struct buf *headers, bool with_body)
{
	struct buf head, body;
	uint64_t sent = 0;

	buf_init(&head, ANSWER_BYTES_MAX);
	buf_init(&body, ANSWER_BYTES_MAX);
	problem_format(&body, p);
	write_head(&head, p, headers, body.len);
	if (with_body && !body.failed)
		buf_add(&head, body.bytes, body.len);
	if (!head.failed && !body.failed && send_all(fd, head.bytes, head.len))
		sent = body.len;
	buf_fini(&body);
	buf_fini(&head);
	return sent;
}

uint64_t
direct_answer(int fd, const struct problem *p, bool with_body)
{
	library_discard_unread(fd);
	return send_problem(fd, p, NULL, with_body);
}

uint64_t
direct_answer_ahead(int fd, const struct problem *p, const struct buf *headers, bool with_body)
{
	const uint64_t sent = send_problem(fd, p, headers, with_body);

	tls_session_goodbye(stream_of(fd));
	(void)shutdown(fd, SHUT_WR);
	return sent;
}

void
direct_refuse_plain(int fd)
{
	char request_id[REQUEST_ID_BYTES];
	struct err e = { 0 };

	err_set(&e, ERR_BAD_PARAMETER, "this port serves HTTPS only: the address must begin with https://");
	request_id_make(request_id, NULL);
	(void)direct_answer(fd, &(struct problem){ &e, request_id, NULL }, true);
}
