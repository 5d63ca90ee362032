/* SPDX-License-Identifier: MIT */
/*
 * A certificate chain and its private key, as two PEM files hold them: read, checked, and shared by reference among the
 * TLS connections that use them.
 */
#pragma once

#include <gnutls/abstract.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"

#define CERTIFICATE_CHAIN_MAX 16u
#define CERTIFICATE_FILE_MAX ((size_t)256 << 10)
#define CERTIFICATE_NAME_BYTES 128
#define CERTIFICATE_SERIAL_BYTES 64

/* Immutable, but for `references`. */
struct certificate {
	gnutls_pcert_st chain[CERTIFICATE_CHAIN_MAX]; /* the server's first, then its issuer's, and so on */
	unsigned count;
	gnutls_privkey_t key;
	int64_t expires_s; /* in seconds since 1970: the first of the chain that does, but for a root */
	char subject[CERTIFICATE_NAME_BYTES];
	char serial[CERTIFICATE_SERIAL_BYTES]; /* in hexadecimal digits */
	atomic_uint references;
};

/*
 * Reads both files, which may be one. The certificates may stand in any order. bad_parameter unless the key is that of
 * one of them, and each is valid at `now_s` and its key is not weak. Warns in the log if others may read the private
 * key. The caller has one reference.
 */
struct certificate *
certificate_load(const char *chain_path, const char *key_path, int64_t now_s, struct err *e) MUST_CHECK;

struct certificate *certificate_ref(struct certificate *c);
void certificate_unref(struct certificate *c); /* NULL is fine */
