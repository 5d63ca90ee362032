/* SPDX-License-Identifier: MIT */
#include "server/intake.h"

#include <errno.h>
#include <microhttpd.h>
#include <sys/socket.h>

#include "server/limits.h"
#include "server/stream.h"

enum intake_next
intake_ask(struct intake *in, char *bytes, size_t room, struct intake_place *place, size_t *delivered)
{
	const size_t gap = scan_gap(&in->scan);

	if (in->stopped)
		return INTAKE_HOLDS;
	if (in->scan.broken != 0) {
		*delivered = scan_end(&in->scan, bytes, room);
		in->end = (uintptr_t)bytes + *delivered;
		in->taken = 0;
		return *delivered > 0 ? INTAKE_HAS : INTAKE_ENDED;
	}
	if (room <= gap) /* there is room again when libmicrohttpd has handed out what it has */
		return INTAKE_HOLDS;
	place->bytes = bytes + gap;
	place->room = room - gap;
	return INTAKE_RECEIVES;
}

size_t
intake_take(struct intake *in, char *bytes, size_t room, const struct intake_place *place, size_t n)
{
	if (in->start == 0)
		in->start = (uintptr_t)bytes; /* the first bytes of a connection */
	n = scan_bytes(&in->scan, bytes, (size_t)(place->bytes - bytes), n, room);
	in->end = (uintptr_t)bytes + n;
	in->taken = 0;
	return n;
}

static ssize_t
fail(int code)
{
	errno = code;
	return -1;
}

/*
 * Receives, and hands over what the scan lets through. libmicrohttpd takes less than it asked for as the end of what
 * was there, and waits for epoll to report more: epoll is asked to, where there may be more.
 */
static ssize_t
receive(struct stream *s, int fd, char *bytes, size_t room)
{
	struct intake_place place;
	size_t delivered;
	ssize_t n;

	switch (intake_ask(&s->intake, bytes, room, &place, &delivered)) {
	case INTAKE_HOLDS:
		return fail(EINTR);
	case INTAKE_ENDED:
		return fail(EAGAIN);
	case INTAKE_HAS:
		return (ssize_t)delivered;
	case INTAKE_RECEIVES:
		break;
	}
	n = stream_read(fd, place.bytes, place.room, 0);
	if (n <= 0)
		return n;
	delivered = intake_take(&s->intake, bytes, room, &place, (size_t)n);
	if (delivered == 0)
		return fail(EINTR);
	if ((size_t)n == place.room && delivered < room)
		(void)epoll_ctl(s->epfd, EPOLL_CTL_MOD, fd, &s->event);
	return (ssize_t)delivered;
}

/*
 * With EINTR libmicrohttpd tries again later. (With EAGAIN it would wait for epoll to report bytes, which epoll has
 * done already.)
 */
ssize_t
recv(int fd, void *bytes, size_t room, int flags)
{
	struct stream *s = flags == 0 ? stream_of(fd) : NULL;

	if (s == NULL || s->tls.session != NULL) /* GnuTLS reads records here */
		return stream_read(fd, bytes, room, flags);
	return receive(s, fd, bytes, room);
}

void
intake_take_head(struct intake *in, const char *method, size_t size)
{
	in->request++;
	in->body = size == 0 ? 0 : (uintptr_t)method + size;
	in->taken = 0;
}

/* libmicrohttpd has moved what was left behind the last piece to where the body lies. */
static void
follow_move(struct intake *in)
{
	if (in->body != 0 && in->taken != 0 && in->end >= in->taken)
		in->end = in->body + (in->end - in->taken);
	in->taken = 0;
}

void
intake_take_body(struct intake *in, const char *piece, size_t len)
{
	if ((uintptr_t)piece < in->taken)
		follow_move(in);
	in->taken = (uintptr_t)piece + len;
}

bool
intake_has_room(struct intake *in, struct MHD_Connection *mhd)
{
	const enum MHD_ValueKind kinds = MHD_HEADER_KIND | MHD_FOOTER_KIND | MHD_COOKIE_KIND | MHD_GET_ARGUMENT_KIND;
	size_t records;

	if (in->start == 0)
		return false;
	follow_move(in);
	records = (size_t)MHD_get_connection_values(mhd, kinds, NULL, NULL);
	return in->end - in->start + records * HEADER_RECORD_BYTES + ANSWER_HEAD_BYTES_MAX <= CONNECTION_MEMORY_BYTES;
}

bool
intake_is_broken(const struct intake *in)
{
	return in->scan.broken != 0 && in->scan.broken == in->request;
}

void
intake_stop_reading(struct intake *in)
{
	in->stopped = true;
}

void
intake_end_request(struct intake *in)
{
	in->body = 0;
	in->stopped = false;
}

bool
intake_holds_more(const struct intake *in)
{
	return in->scan.state != SCAN_BEFORE;
}
