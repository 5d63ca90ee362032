/* SPDX-License-Identifier: MIT */
#include "server/tls_session.h"

#include <dlfcn.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/metrics.h"
#include "server/certificate.h"
#include "server/connections.h"
#include "server/direct.h"
#include "server/intake.h"
#include "server/library.h"
#include "server/peer.h"
#include "server/stream.h"
#include "server/tls.h"
#include "server/traffic.h"

/* GnuTLS's own. Immutable once the program runs. */
static struct {
	int (*handshake)(gnutls_session_t);
	ssize_t (*receive)(gnutls_session_t, void *, size_t);
	int (*bye)(gnutls_session_t, gnutls_close_request_t);
} real;

static void
find(const char *name, void *out)
{
	void *found = dlsym(RTLD_NEXT, name);

	memcpy(out, &found, sizeof(found));
}

__attribute__((constructor)) static void
find_real_ones(void)
{
	find("gnutls_handshake", &real.handshake);
	find("gnutls_record_recv", &real.receive);
	find("gnutls_bye", &real.bye);
}

/* The stream of a connection's session; NULL: it is no connection's. */
static struct stream *
stream_of_session(gnutls_session_t session)
{
	struct stream *s = stream_of(gnutls_transport_get_int(session));

	return s != NULL && s->tls.session == session ? s : NULL;
}

void
tls_session_begin(struct stream *s, struct MHD_Connection *mhd, struct tls *tls)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	s->tls = (struct tls_session){ .session = info == NULL ? NULL : info->tls_session, .tls = tls };
}

void
tls_session_end(struct stream *s)
{
	certificate_unref(s->tls.certificate);
	s->tls = (struct tls_session){ 0 };
}

bool
tls_session_holds_more(const struct stream *s)
{
	return s->tls.session != NULL && gnutls_record_check_pending(s->tls.session) > 0;
}

bool
tls_session_send(struct stream *s, const char *bytes, size_t len)
{
	ssize_t n;

	for (; len > 0; bytes += n, len -= (size_t)n) {
		n = gnutls_record_send(s->tls.session, bytes, len);
		if (n <= 0)
			return false;
	}
	return true;
}

void
tls_session_goodbye(struct stream *s)
{
	if (s != NULL && s->tls.established)
		(void)real.bye(s->tls.session, GNUTLS_SHUT_WR);
}

/* gnutls_certificate_retrieve_function3: GnuTLS may ask several times in a handshake. */
static int
choose_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **chain,
    unsigned *count, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_count, gnutls_privkey_t *key, unsigned *flags)
{
	struct stream *s = stream_of_session(session);

	(void)info, (void)flags;
	*ocsp = NULL;
	*ocsp_count = 0;
	if (s == NULL)
		return -1;
	if (s->tls.certificate == NULL)
		s->tls.certificate = tls_certificate(s->tls.tls);
	*chain = s->tls.certificate->chain;
	*count = s->tls.certificate->count;
	*key = s->tls.certificate->key;
	return 0;
}

void *
tls_session_callback(void)
{
	gnutls_certificate_retrieve_function3 *const callback = choose_certificate;
	void *out;

	memcpy(&out, &callback, sizeof(out));
	return out;
}

static void
note_failure(int fd, const char *reason)
{
	char client[PEER_BYTES];

	metrics_add(METRIC_TLS_HANDSHAKES, METRIC_RESULT_FAILED, 1);
	if (!log_enabled(LOG_DEBUG))
		return;
	peer_address_of(fd, client, sizeof(client));
	log_event(LOG_DEBUG, "TLS handshake failed",
	    (const struct log_field[]){ { .name = "reason", .text = reason }, { .name = "client", .text = client } },
	    2);
}

/* Whether the connection begins like a request and not like a handshake. Such a client is told. */
static bool
speaks_plainly(const struct stream *s, int fd)
{
	char first;

	if (s->wire > 0 || recvfrom(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT, NULL, NULL) != 1 || first < 'A' ||
	    first > 'Z')
		return false;
	direct_refuse_plain(fd);
	note_failure(fd, "the client speaks plain HTTP");
	return true;
}

/*
 * Acknowledges the handshake's last bytes at once. In TLS 1.3 nothing is sent after them, and the kernel would wait
 * 40 ms for that; a client that leaves Nagle's algorithm on holds its request back until then.
 */
static void
acknowledge(int fd)
{
	static const int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

/* Goes on with the handshake. 0: it is done; otherwise what gnutls_record_recv is to return. */
static int
shake_hands(struct stream *s, gnutls_session_t session, int fd)
{
	struct connection *c = connection_of(gnutls_session_get_ptr(session));
	int rc;

	if (speaks_plainly(s, fd))
		return GNUTLS_E_INVALID_SESSION;
	rc = real.handshake(session);
	if (rc == GNUTLS_E_SUCCESS) {
		s->tls.established = true;
		s->whole = s->wire;
		connection_enter(c, DEADLINE_IDLE);
		acknowledge(fd);
		metrics_add(METRIC_TLS_HANDSHAKES, METRIC_RESULT_OK, 1);
		return 0;
	}
	if (gnutls_error_is_fatal(rc) == 0) {
		/* Epoll reports that there is room again, and the loop must then read. */
		if (gnutls_record_get_direction(session) == 1)
			stream_wake_when_writable(s, true);
		return GNUTLS_E_AGAIN;
	}
	note_failure(fd, gnutls_strerror(rc));
	(void)gnutls_alert_send_appropriate(session, rc);
	library_discard_unread(fd); /* else the close would be a reset, which may lose the alert */
	return GNUTLS_E_INVALID_SESSION;
}

int
gnutls_handshake(gnutls_session_t session)
{
	return stream_of_session(session) == NULL ? real.handshake(session) : GNUTLS_E_SUCCESS;
}

ssize_t
gnutls_record_recv(gnutls_session_t session, void *bytes, size_t room)
{
	struct stream *s = stream_of_session(session);
	const int fd = gnutls_transport_get_int(session);
	struct intake_place place;
	size_t delivered;
	uint64_t wire;
	ssize_t n;

	if (s == NULL)
		return real.receive(session, bytes, room);
	if (!s->tls.established && (n = shake_hands(s, session, fd)) != 0)
		return n;
	switch (intake_ask(&s->intake, bytes, room, &place, &delivered)) {
	case INTAKE_HOLDS:
		return GNUTLS_E_INTERRUPTED;
	case INTAKE_ENDED:
		return GNUTLS_E_AGAIN;
	case INTAKE_HAS:
		return (ssize_t)delivered;
	case INTAKE_RECEIVES:
		break;
	}
	wire = s->wire;
	n = real.receive(session, place.bytes, place.room);
	if (n == GNUTLS_E_AGAIN && s->wire != wire && traffic_has_unread(fd))
		return GNUTLS_E_INTERRUPTED; /* it has read a record without data, and more follow */
	if (n == 0 && !s->in_set) { /* the end is hidden as in stream_read; a closed socket may never become readable */
		stream_wake_when_writable(s, true);
		return GNUTLS_E_AGAIN;
	}
	if (n <= 0)
		return n;
	s->whole = s->wire; /* GnuTLS has read whole records: nothing of another one */
	delivered = intake_take(&s->intake, bytes, room, &place, (size_t)n);
	return delivered > 0 ? (ssize_t)delivered : GNUTLS_E_INTERRUPTED;
}

/* GnuTLS would say goodbye in a session that never began. With an error libmicrohttpd shuts down the socket instead. */
int
gnutls_bye(gnutls_session_t session, gnutls_close_request_t how)
{
	const struct stream *s = stream_of_session(session);

	return s != NULL && !s->tls.established ? GNUTLS_E_INVALID_SESSION : real.bye(session, how);
}
