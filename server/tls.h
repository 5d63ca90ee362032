/* SPDX-License-Identifier: MIT */
/*
 * The certificate that TLS is served with, as --tls-cert and --tls-key name it. SIGHUP reads it again: connections that
 * are open go on, and new ones get the new certificate. What cannot be used leaves the old one in place.
 */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "server/certificate.h"

/* A warning comes so long before the certificate expires, and again each day. */
#define TLS_WARN_AHEAD_S ((int64_t)14 * 86400)

struct tls;

/* Reads the files, whose paths must live as long. */
struct tls *tls_open(const char *chain_path, const char *key_path, struct err *e) MUST_CHECK;
void tls_close(struct tls *t); /* NULL is fine */

/* Reads the files again. -1: the old certificate stays. Warns if it expires soon. From main's thread. */
int tls_reload(struct tls *t, struct err *e) MUST_CHECK;

/*
 * Whether to warn of a certificate now: it expires soon or has expired, and the last warning (0: none) is a day old, is
 * from before it expired, or is from a time that the clock has not reached yet.
 */
bool tls_reminder_is_due(int64_t expires_s, int64_t warned_s, int64_t now_s);

/* Warns of the certificate if that is due. From main's thread. */
void tls_remind(struct tls *t, int64_t now_s);

/* The certificate for a new connection, with a reference. Any thread. */
struct certificate *tls_certificate(struct tls *t);

/* The options of MHD_start_daemon for it. */
#define TLS_OPTION_COUNT 2
void tls_options(struct MHD_OptionItem out[TLS_OPTION_COUNT]);
