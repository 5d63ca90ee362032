/* SPDX-License-Identifier: MIT */
#include "server/tls.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "server/tls_session.h"

#define DAY_S 86400

/*
 * What clients and servers of the last ten years speak: TLS 1.3 and 1.2, and of 1.2 only key exchanges with forward
 * secrecy and authenticated ciphers. There is no choice for the operator to get wrong; /etc/gnutls/config can restrict
 * it further. The client's order counts, since it knows whether its processor has AES.
 */
static const char priorities[] =
    "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+ECDHE-ECDSA:+ECDHE-RSA:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD:"
    "+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1:+SIGN-ALL:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:"
    "-SIGN-DSA-SHA1:-SIGN-DSA-SHA224:-SIGN-DSA-SHA256:+COMP-NULL:+CTYPE-X509";

struct tls {
	/* Immutable. */
	const char *chain_path, *key_path;

	/* main's. */
	int64_t warned_s; /* 0: not of this certificate */

	pthread_mutex_t lock; /* of `current`, for a few instructions */
	struct certificate *current;
};

static void
log_loaded(const struct certificate *c)
{
	char expires[CLOCK_STAMP_BYTES];

	clock_second_stamp(c->expires_s, expires);
	log_event(LOG_INFO, "certificate",
	    (const struct log_field[]){ { .name = "subject", .text = c->subject },
		{ .name = "serial", .text = c->serial }, { .name = "expires", .text = expires } },
	    3);
}

struct tls *
tls_open(const char *chain_path, const char *key_path, struct err *e)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		err_set_memory(e);
		return NULL;
	}
	pthread_mutex_init(&t->lock, NULL);
	t->chain_path = chain_path;
	t->key_path = key_path;
	if (tls_reload(t, e) == 0)
		return t;
	tls_close(t);
	return NULL;
}

void
tls_close(struct tls *t)
{
	if (t == NULL)
		return;
	certificate_unref(t->current);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

int
tls_reload(struct tls *t, struct err *e)
{
	const int64_t now_s = clock_realtime_s();
	struct certificate *old, *new = certificate_load(t->chain_path, t->key_path, now_s, e);

	if (new == NULL)
		return -1;
	pthread_mutex_lock(&t->lock);
	old = t->current;
	t->current = new;
	pthread_mutex_unlock(&t->lock);
	certificate_unref(old); /* connections that use it have their own references */
	log_loaded(new);
	metrics_set(METRIC_TLS_EXPIRY, 0, (double)new->expires_s);
	t->warned_s = 0;
	tls_remind(t, now_s);
	return 0;
}

bool
tls_reminder_is_due(int64_t expires_s, int64_t warned_s, int64_t now_s)
{
	if (expires_s - now_s > TLS_WARN_AHEAD_S)
		return false;
	return warned_s == 0 || now_s < warned_s || now_s >= warned_s + DAY_S ||
	    (warned_s < expires_s && expires_s <= now_s);
}

void
tls_remind(struct tls *t, int64_t now_s)
{
	const int64_t expires_s = t->current->expires_s;
	char expires[CLOCK_STAMP_BYTES];

	if (!tls_reminder_is_due(expires_s, t->warned_s, now_s))
		return;
	t->warned_s = now_s;
	clock_second_stamp(expires_s, expires);
	log_event(expires_s > now_s ? LOG_WARN : LOG_ERROR,
	    expires_s > now_s ? "the certificate expires soon: renew it, and send SIGHUP" :
				"the certificate has expired: renew it, and send SIGHUP",
	    (const struct log_field[]){ { .name = "file", .text = t->chain_path },
		{ .name = "subject", .text = t->current->subject }, { .name = "expires", .text = expires } },
	    3);
}

struct certificate *
tls_certificate(struct tls *t)
{
	struct certificate *c;

	pthread_mutex_lock(&t->lock);
	c = certificate_ref(t->current);
	pthread_mutex_unlock(&t->lock);
	return c;
}

void
tls_options(struct MHD_OptionItem out[TLS_OPTION_COUNT])
{
	out[0] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)priorities };
	out[1] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, NULL };
	out[1].ptr_value = tls_session_callback();
}
