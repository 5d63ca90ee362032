/* SPDX-License-Identifier: MIT */
/*
 * A connection under TLS. libmicrohttpd calls GnuTLS through the dynamic linker, which finds the functions of
 * tls_session.c: they do what intake.c and epoll.c do for a plain connection, with the decrypted bytes, and mend what
 * libmicrohttpd's own handling of TLS lacks.
 *
 * The handshake. libmicrohttpd lets gnutls_handshake run, and if that must wait for the client, takes the socket for
 * readable still: its loop then spins until the client goes on. So gnutls_handshake claims to be done at once, and the
 * first reads do the handshake, whose waiting the loop understands. A handshake that fails sends its alert, which
 * libmicrohttpd never does. It must be done within the client timeout (deadline.h). The answer to plain HTTP is a
 * problem in plain HTTP that says so.
 *
 * Bytes inside GnuTLS. GnuTLS reads a record's bytes only, and holds what of it did not fit in libmicrohttpd's buffer.
 * libmicrohttpd reads until GnuTLS says GNUTLS_E_AGAIN, before it waits for epoll, so nothing there is forgotten. While
 * reading is stopped (intake.h) it gets GNUTLS_E_INTERRUPTED, after which it reads again without epoll. GnuTLS says
 * GNUTLS_E_AGAIN also after a record without data (a new key, an empty one), though more records may be in the socket,
 * of which epoll has told: this becomes GNUTLS_E_INTERRUPTED too.
 *
 * All functions are for the connection's event loop.
 */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct certificate;
struct gnutls_session_int;
struct stream;
struct tls;

/* A connection's, part of its stream; zeroed, it is a plain one. The fields are tls_session.c's. */
struct tls_session {
	struct gnutls_session_int *session; /* NULL: none, or no more */
	struct tls *tls;
	struct certificate *certificate; /* that the handshake uses: GnuTLS points to it */
	bool established;                /* the handshake is done */
};

/* The connection begins. */
void tls_session_begin(struct stream *s, struct MHD_Connection *mhd, struct tls *tls);

/* libmicrohttpd has freed its session. */
void tls_session_end(struct stream *s);

/* Whether GnuTLS holds decrypted bytes that were not read. */
bool tls_session_holds_more(const struct stream *s);

/* Sends the bytes without waiting. False: not all of them. */
bool tls_session_send(struct stream *s, const char *bytes, size_t len) MUST_CHECK;

/* Says that no more bytes will be sent. Does nothing to a plain connection; NULL is fine. */
void tls_session_goodbye(struct stream *s);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK2. */
void *tls_session_callback(void);
