/* SPDX-License-Identifier: MIT */
#include "server/certificate.h"

#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/whole_file.h"

#define KEY_ID_BYTES 32

/* What is read of the chain's file. */
struct chain {
	gnutls_x509_crt_t *list;
	unsigned count;
};

static void
chain_fini(struct chain *c)
{
	for (unsigned i = 0; i < c->count; i++)
		gnutls_x509_crt_deinit(c->list[i]);
	gnutls_free(c->list);
}

/* How often a text occurs. */
static unsigned
count_of(const char *text, const char *in)
{
	unsigned n = 0;

	for (const char *p = in; (p = strstr(p, text)) != NULL; p += strlen(text))
		n++;
	return n;
}

static gnutls_datum_t
text_of(const struct whole_file *file)
{
	return (gnutls_datum_t){ .data = (unsigned char *)file->bytes, .size = (unsigned)file->len };
}

static int
read_chain(const char *path, struct chain *out, struct err *e)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
	struct whole_file file;
	gnutls_datum_t text;
	int rc;

	if (whole_file_read("the certificate", path, CERTIFICATE_FILE_MAX, &file, e) < 0)
		return -1;
	text = text_of(&file);
	rc = gnutls_x509_crt_list_import2(&out->list, &out->count, &text, GNUTLS_X509_FMT_PEM, 0);
	if (rc < 0)
		*out = (struct chain){ 0 };
	if (count_of(begin, file.bytes) != count_of(end, file.bytes))
		rc =
		    err_fail(e, ERR_BAD_PARAMETER, "the certificate %.160s is cut off: a \"%s\" is missing", path, end);
	else if (rc < 0)
		rc = err_fail(e, ERR_BAD_PARAMETER, "the certificate %.160s is not a certificate in PEM format: %s",
		    path, gnutls_strerror(rc));
	else if (out->count > CERTIFICATE_CHAIN_MAX)
		rc = err_fail(e, ERR_BAD_PARAMETER, "the certificate %.160s has %u certificates; %u are allowed", path,
		    out->count, CERTIFICATE_CHAIN_MAX);
	whole_file_fini(&file);
	return rc < 0 ? -1 : 0;
}

static void
warn_of_readers(const char *path, const struct stat *st)
{
	if ((st->st_mode & (S_IRWXO | S_IWGRP)) != 0)
		log_event(LOG_WARN, "others may read or replace the private key: chmod 600 or 640",
		    (const struct log_field[]){ { .name = "file", .text = path } }, 1);
}

static int
read_key(const char *path, gnutls_privkey_t *out, struct err *e)
{
	struct whole_file file;
	gnutls_datum_t text;
	bool encrypted;
	int rc;

	if (whole_file_read("the private key", path, CERTIFICATE_FILE_MAX, &file, e) < 0)
		return -1;
	text = text_of(&file);
	encrypted = strstr(file.bytes, "ENCRYPTED") != NULL;
	rc = gnutls_privkey_init(out);
	if (rc == 0)
		rc = gnutls_privkey_import_x509_raw(*out, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
	whole_file_fini(&file);
	if (rc == 0)
		warn_of_readers(path, &file.stat);
	if (rc == 0)
		return 0;
	if (encrypted)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "the private key %.160s is encrypted; normd needs it without a password", path);
	return err_fail(e, ERR_BAD_PARAMETER, "the private key %.160s is not a private key in PEM format: %s", path,
	    gnutls_strerror(rc));
}

/* The fingerprint of the public key that belongs to the private one. */
static int
key_id(gnutls_privkey_t key, unsigned char out[KEY_ID_BYTES])
{
	size_t size = KEY_ID_BYTES;
	gnutls_pubkey_t public;
	int rc = gnutls_pubkey_init(&public);

	if (rc < 0)
		return rc;
	rc = gnutls_pubkey_import_privkey(public, key, 0, 0);
	if (rc == 0)
		rc = gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, out, &size);
	gnutls_pubkey_deinit(public);
	return rc;
}

static bool
has_key(gnutls_x509_crt_t crt, const unsigned char id[KEY_ID_BYTES])
{
	unsigned char own[KEY_ID_BYTES];
	size_t size = sizeof(own);

	return gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, own, &size) == 0 &&
	    memcmp(own, id, sizeof(own)) == 0;
}

static void
swap(struct chain *c, unsigned i, unsigned k)
{
	gnutls_x509_crt_t kept = c->list[i];

	c->list[i] = c->list[k];
	c->list[k] = kept;
}

/* Puts the key's certificate first, and each issuer behind what it has issued; others stay behind these. */
static int
order(struct chain *c, gnutls_privkey_t key, const char *chain_path, const char *key_path, struct err *e)
{
	unsigned char id[KEY_ID_BYTES];
	unsigned first = 0, k;

	if (key_id(key, id) < 0)
		return err_fail(
		    e, ERR_BAD_PARAMETER, "the private key %.160s is of a kind that is not supported", key_path);
	while (first < c->count && !has_key(c->list[first], id))
		first++;
	if (first == c->count)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "the private key %.120s does not belong to the certificate %.120s", key_path, chain_path);
	swap(c, 0, first);
	for (unsigned i = 0; i + 1 < c->count; i++) {
		for (k = i + 1; k < c->count && !gnutls_x509_crt_check_issuer(c->list[i], c->list[k]); k++)
			;
		if (k == c->count)
			break;
		swap(c, i + 1, k);
	}
	return 0;
}

/* A root is not judged by clients that have their own copy. */
static bool
is_root(const struct chain *c, unsigned i)
{
	return i > 0 && gnutls_x509_crt_check_issuer(c->list[i], c->list[i]);
}

static int
check_times(const struct chain *c, const char *path, int64_t now_s, int64_t *expires_s, struct err *e)
{
	char when[CLOCK_STAMP_BYTES];
	int64_t from_s, to_s;

	*expires_s = INT64_MAX;
	for (unsigned i = 0; i < c->count; i++) {
		if (is_root(c, i))
			continue;
		from_s = gnutls_x509_crt_get_activation_time(c->list[i]);
		to_s = gnutls_x509_crt_get_expiration_time(c->list[i]);
		clock_second_stamp(from_s > now_s ? from_s : to_s, when);
		if (from_s > now_s)
			return err_fail(e, ERR_BAD_PARAMETER,
			    "certificate %u of %.160s is not valid before %s: is the clock right?", i + 1, path, when);
		if (to_s <= now_s)
			return err_fail(e, ERR_BAD_PARAMETER, "certificate %u of %.160s expired at %s: renew it", i + 1,
			    path, when);
		*expires_s = to_s < *expires_s ? to_s : *expires_s;
	}
	return 0;
}

/* Keys for less than 112 bits of security, such as RSA below 2048 bits, are refused by clients of today. */
static int
check_strength(const struct chain *c, const char *path, struct err *e)
{
	unsigned bits = 0;
	int kind;

	for (unsigned i = 0; i < c->count; i++) {
		kind = gnutls_x509_crt_get_pk_algorithm(c->list[i], &bits);
		if (kind < 0 || is_root(c, i) ||
		    gnutls_pk_bits_to_sec_param((gnutls_pk_algorithm_t)kind, bits) >= GNUTLS_SEC_PARAM_MEDIUM)
			continue;
		return err_fail(e, ERR_BAD_PARAMETER,
		    "certificate %u of %.160s has a weak key, %s of %u bits: use RSA of at least 2048 bits, or ECDSA "
		    "of at least 224",
		    i + 1, path, gnutls_pk_get_name((gnutls_pk_algorithm_t)kind), bits);
	}
	return 0;
}

static void
name_it(struct certificate *out, gnutls_x509_crt_t crt)
{
	unsigned char serial[CERTIFICATE_SERIAL_BYTES / 2 - 1];
	size_t size = sizeof(out->subject);

	if (gnutls_x509_crt_get_dn(crt, out->subject, &size) < 0)
		out->subject[0] = '\0';
	size = sizeof(serial);
	if (gnutls_x509_crt_get_serial(crt, serial, &size) < 0)
		size = 0;
	for (size_t i = 0; i < size; i++)
		snprintf(out->serial + 2 * i, 3, "%02x", serial[i]);
}

static int
fill(struct certificate *out, struct chain *chain, const char *chain_path, const char *key_path, int64_t now_s,
    struct err *e)
{
	int rc;

	if (read_chain(chain_path, chain, e) < 0 || read_key(key_path, &out->key, e) < 0 ||
	    order(chain, out->key, chain_path, key_path, e) < 0 ||
	    check_times(chain, chain_path, now_s, &out->expires_s, e) < 0 || check_strength(chain, chain_path, e) < 0)
		return -1;
	for (; out->count < chain->count; out->count++) {
		rc = gnutls_pcert_import_x509(&out->chain[out->count], chain->list[out->count], 0);
		if (rc < 0)
			return err_fail(e, ERR_BAD_PARAMETER, "certificate %u of %.160s cannot be used: %s",
			    out->count + 1, chain_path, gnutls_strerror(rc));
	}
	name_it(out, chain->list[0]);
	return 0;
}

struct certificate *
certificate_load(const char *chain_path, const char *key_path, int64_t now_s, struct err *e)
{
	struct certificate *c = calloc(1, sizeof(*c));
	struct chain chain = { 0 };
	int rc;

	if (c == NULL) {
		err_set_memory(e);
		return NULL;
	}
	atomic_init(&c->references, 1);
	rc = fill(c, &chain, chain_path, key_path, now_s, e);
	chain_fini(&chain);
	if (rc == 0)
		return c;
	certificate_unref(c);
	return NULL;
}

struct certificate *
certificate_ref(struct certificate *c)
{
	atomic_fetch_add(&c->references, 1);
	return c;
}

void
certificate_unref(struct certificate *c)
{
	if (c == NULL || atomic_fetch_sub(&c->references, 1) > 1)
		return;
	for (unsigned i = 0; i < c->count; i++)
		gnutls_pcert_deinit(&c->chain[i]);
	gnutls_privkey_deinit(c->key);
	free(c);
}
