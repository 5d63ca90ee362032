/* SPDX-License-Identifier: MIT */
#include "server/intake.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdint.h>
#include <sys/socket.h>

#include "server/direct.h"
#include "server/limits.h"
#include "server/stream.h"

static struct intake *
intake_of(int fd)
{
	struct stream *s = stream_of(fd);

	return s == NULL ? NULL : &s->intake;
}

/*
 * Counts bytes of a body that brought no piece of it. libmicrohttpd keeps trailers until the request ends; if they fill
 * the memory to the last byte, it waits for ever. So beyond a limit the bytes read last are overwritten by ends of
 * lines: the handler is called, and refuses the request. A read that ends the request may be larger: more requests
 * follow in it.
 */
static void
count_aside(struct intake *in, char *bytes, size_t n)
{
	if (in->body == 0)
		return;
	in->overlong = in->overlong || in->aside > ASIDE_BYTES_MAX;
	in->aside += n;
	for (size_t i = 0; in->overlong && i < n; i++)
		bytes[i] = i % 2 == 0 ? '\r' : '\n';
}

/*
 * Whether the last bytes are no request, which libmicrohttpd would not answer, and no request before waits for an
 * answer.
 */
static bool
holds_no_request(const struct intake *in)
{
	return in->scan.broken != 0 && in->scan.state == SCAN_BEFORE && in->scan.broken == in->request + 1 &&
	    in->body == 0;
}

bool
intake_read(int fd, struct intake *in, char *bytes, size_t n)
{
	if (in->start == 0)
		in->start = (uintptr_t)bytes; /* the first bytes of a connection */
	in->end = (uintptr_t)bytes + n;
	in->taken = 0;
	scan_bytes(&in->scan, bytes, n);
	if (holds_no_request(in)) {
		direct_refuse_line(fd, in->scan.problem);
		return false;
	}
	count_aside(in, bytes, n);
	return true;
}

/*
 * With EINTR libmicrohttpd tries again later. (With EAGAIN it would wait for epoll to report bytes, which epoll has
 * done already.)
 */
ssize_t
recv(int fd, void *bytes, size_t room, int flags)
{
	struct stream *s = flags == 0 ? stream_of(fd) : NULL;
	struct intake *in = s == NULL || s->tls.session != NULL ? NULL : &s->intake; /* GnuTLS reads records here */
	ssize_t n;

	if (in != NULL && in->stopped) {
		errno = EINTR;
		return -1;
	}
	n = stream_read(fd, bytes, room, flags);
	if (in == NULL || n <= 0)
		return n;
	return intake_read(fd, in, bytes, (size_t)n) ? n : 0;
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

bool
intake_take_body(struct intake *in, const char *piece, size_t len)
{
	if ((uintptr_t)piece < in->taken)
		follow_move(in);
	in->taken = (uintptr_t)piece + len;
	in->aside = 0;
	return !in->overlong;
}

bool
intake_has_room(struct intake *in, struct MHD_Connection *mhd)
{
	const enum MHD_ValueKind kinds = MHD_HEADER_KIND | MHD_FOOTER_KIND | MHD_COOKIE_KIND | MHD_GET_ARGUMENT_KIND;
	size_t records;

	if (in->start == 0 || in->overlong)
		return false;
	follow_move(in);
	records = (size_t)MHD_get_connection_values(mhd, kinds, NULL, NULL);
	return in->end - in->start + records * HEADER_RECORD_BYTES + ANSWER_HEAD_BYTES_MAX <= CONNECTION_MEMORY_BYTES;
}

const char *
intake_problem(const struct intake *in)
{
	return in->scan.broken != 0 && in->scan.broken == in->request ? in->scan.problem : NULL;
}

bool
intake_refuses(struct MHD_Connection *mhd)
{
	const struct intake *in =
	    intake_of(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);

	return in != NULL && in->scan.broken != 0 && in->scan.broken == in->request + (in->body == 0);
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
	in->aside = 0;
	in->stopped = false;
	in->overlong = false;
}
