/* SPDX-License-Identifier: MIT */
/*
 * Which files certificate_load takes and refuses, how it orders a chain, and when a certificate is warned of. The
 * certificates are made here.
 */
#include "tests/unit/unit.h"

#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/certificate.h"
#include "server/tls.h"

#define NOW_S ((int64_t)1800000000)
#define DAY_S 86400
#define FILE_ROOM ((size_t)400 << 10)

/* A certificate and its key, also as text. */
struct made {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t key_text, crt_text;
};

/* Whom a certificate names, and when it is valid. */
struct wanted {
	const char *subject;
	int64_t from_s, to_s;
	bool ca;
};

static char directory[32], crt_path[64], key_path[64];

static void
must(int rc)
{
	ck_assert_msg(rc >= 0, "%s", gnutls_strerror(rc));
}

/* With `issuer` NULL it is its own. */
static struct made
make(struct wanted w, const struct made *issuer)
{
	static unsigned char serial;
	const unsigned usage = w.ca ? GNUTLS_KEY_KEY_CERT_SIGN : GNUTLS_KEY_DIGITAL_SIGNATURE;
	struct made m;

	serial++;
	must(gnutls_x509_privkey_init(&m.key));
	must(gnutls_x509_privkey_generate(m.key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	must(gnutls_x509_crt_init(&m.crt));
	must(gnutls_x509_crt_set_version(m.crt, 3));
	must(gnutls_x509_crt_set_dn_by_oid(
	    m.crt, GNUTLS_OID_X520_COMMON_NAME, 0, w.subject, (unsigned)strlen(w.subject)));
	must(gnutls_x509_crt_set_serial(m.crt, &serial, 1));
	must(gnutls_x509_crt_set_activation_time(m.crt, w.from_s));
	must(gnutls_x509_crt_set_expiration_time(m.crt, w.to_s));
	must(gnutls_x509_crt_set_basic_constraints(m.crt, w.ca, -1));
	must(gnutls_x509_crt_set_key_usage(m.crt, usage));
	must(gnutls_x509_crt_set_key(m.crt, m.key));
	must(gnutls_x509_crt_sign2(
	    m.crt, issuer == NULL ? m.crt : issuer->crt, issuer == NULL ? m.key : issuer->key, GNUTLS_DIG_SHA256, 0));
	must(gnutls_x509_privkey_export2(m.key, GNUTLS_X509_FMT_PEM, &m.key_text));
	must(gnutls_x509_crt_export2(m.crt, GNUTLS_X509_FMT_PEM, &m.crt_text));
	return m;
}

static struct made
make_valid(const char *subject)
{
	return make((struct wanted){ subject, NOW_S - DAY_S, NOW_S + DAY_S, false }, NULL);
}

static void
made_fini(struct made *m)
{
	gnutls_x509_crt_deinit(m->crt);
	gnutls_x509_privkey_deinit(m->key);
	gnutls_free(m->key_text.data);
	gnutls_free(m->crt_text.data);
}

static void
write_file(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, 0600), 0);
}

static void
write_texts(const char *path, const gnutls_datum_t *const *texts, size_t count)
{
	static char bytes[FILE_ROOM];
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_le(len + texts[i]->size, sizeof(bytes));
		memcpy(bytes + len, texts[i]->data, texts[i]->size);
		len += texts[i]->size;
	}
	write_file(path, bytes, len);
}

static void
refuses(const char *crt, const char *key, int64_t now_s, const char *says)
{
	struct err e = { 0 };

	ck_assert_ptr_null(certificate_load(crt, key, now_s, &e));
	ck_assert_int_eq(e.code, ERR_BAD_PARAMETER);
	ck_assert_msg(strstr(e.detail, says) != NULL, "%s: %s", says, e.detail);
}

static struct certificate *
load(int64_t now_s)
{
	struct err e = { 0 };
	struct certificate *c = certificate_load(crt_path, key_path, now_s, &e);

	ck_assert_msg(c != NULL, "%s", e.detail);
	return c;
}

static void
begin(void)
{
	snprintf(directory, sizeof(directory), "/tmp/normd-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(crt_path, sizeof(crt_path), "%s/crt", directory);
	snprintf(key_path, sizeof(key_path), "%s/key", directory);
}

static void
end(void)
{
	unlink(crt_path);
	unlink(key_path);
	rmdir(directory);
}

START_TEST(the_time_decides_to_the_second)
{
	struct made m = make_valid("one");
	struct certificate *c;

	write_file(crt_path, m.crt_text.data, m.crt_text.size);
	write_file(key_path, m.key_text.data, m.key_text.size);
	refuses(crt_path, key_path, NOW_S - DAY_S - 1, "is not valid before");
	refuses(crt_path, key_path, NOW_S + DAY_S, "expired at");
	certificate_unref(load(NOW_S - DAY_S));
	c = load(NOW_S + DAY_S - 1);
	ck_assert_int_eq(c->expires_s, NOW_S + DAY_S);
	ck_assert_str_eq(c->subject, "CN=one");
	ck_assert_uint_eq(c->count, 1);
	ck_assert_ptr_eq(certificate_ref(c), c);
	certificate_unref(c);
	ck_assert_uint_eq(c->references, 1);
	certificate_unref(c);
	certificate_unref(NULL);
	made_fini(&m);
}
END_TEST

START_TEST(keys_and_certificates_must_match)
{
	struct made m = make_valid("one"), other = make_valid("two");

	write_file(crt_path, m.crt_text.data, m.crt_text.size);
	write_file(key_path, other.key_text.data, other.key_text.size);
	refuses(crt_path, key_path, NOW_S, "does not belong to the certificate");
	write_file(key_path, m.crt_text.data, m.crt_text.size);
	refuses(crt_path, key_path, NOW_S, "is not a private key in PEM format");
	write_file(key_path, m.key_text.data, m.key_text.size);
	refuses(key_path, key_path, NOW_S, "is not a certificate in PEM format");
	certificate_unref(load(NOW_S));
	made_fini(&m);
	made_fini(&other);
}
END_TEST

/* Each prefix of the files is refused, but for a key of which only the last line is cut: all of the key is there. */
START_TEST(cut_files_are_refused)
{
	struct made m = make_valid("one");
	struct certificate *c;
	struct err e;

	for (int is_key = 0; is_key < 2; is_key++) {
		const gnutls_datum_t *text = is_key ? &m.key_text : &m.crt_text;
		const char *last_line = strstr((const char *)text->data, "-----END ");
		const size_t enough = is_key ? (size_t)(last_line - (const char *)text->data) : text->size - 1;

		write_file(crt_path, m.crt_text.data, m.crt_text.size);
		write_file(key_path, m.key_text.data, m.key_text.size);
		for (size_t len = 0; len <= text->size; len++) {
			write_file(is_key ? key_path : crt_path, text->data, len);
			c = certificate_load(crt_path, key_path, NOW_S, &e);
			ck_assert_msg(c == NULL || len >= enough, "%zu of %u bytes", len, text->size);
			ck_assert_msg(c != NULL || len + 1 < text->size, "%zu of %u bytes", len, text->size);
			certificate_unref(c);
		}
	}
	made_fini(&m);
}
END_TEST

START_TEST(what_is_no_file_or_too_much_is_refused)
{
	static char much[CERTIFICATE_FILE_MAX + 1];
	struct made m = make_valid("one");
	const gnutls_datum_t *many[CERTIFICATE_CHAIN_MAX + 1];

	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
		many[i] = &m.crt_text;
	write_file(key_path, m.key_text.data, m.key_text.size);
	refuses("/nowhere/crt", key_path, NOW_S, "cannot be opened");
	refuses(directory, key_path, NOW_S, "is not a regular file");
	write_texts(crt_path, many, sizeof(many) / sizeof(many[0]));
	refuses(crt_path, key_path, NOW_S, "has 17 certificates; 16 are allowed");
	write_texts(crt_path, many, CERTIFICATE_CHAIN_MAX);
	certificate_unref(load(NOW_S));
	write_file(crt_path, much, sizeof(much));
	refuses(crt_path, key_path, NOW_S, "is larger than");
	write_file(crt_path, m.crt_text.data, m.crt_text.size);
	unlink(key_path);
	ck_assert_int_eq(mkfifo(key_path, 0600), 0);
	refuses(crt_path, key_path, NOW_S, "is not a regular file");
	made_fini(&m);
}
END_TEST

START_TEST(a_chain_is_put_in_order)
{
	static const struct wanted authority = { "middle", NOW_S - 2 * DAY_S, NOW_S + DAY_S / 2, true };
	struct made root = make((struct wanted){ "root", NOW_S - 9 * DAY_S, NOW_S - 1, true }, NULL);
	struct made middle = make(authority, &root);
	struct made leaf = make((struct wanted){ "leaf", NOW_S - DAY_S, NOW_S + DAY_S, false }, &middle);
	const gnutls_datum_t *const texts[] = { &leaf.crt_text, &middle.crt_text, &root.crt_text };
	static const unsigned char orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 },
		{ 2, 1, 0 } };
	struct certificate *c;

	write_file(key_path, leaf.key_text.data, leaf.key_text.size);
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		const unsigned char *o = orders[i];

		write_texts(crt_path, (const gnutls_datum_t *[]){ texts[o[0]], texts[o[1]], texts[o[2]] }, 3);
		c = load(NOW_S);
		ck_assert_str_eq(c->subject, "CN=leaf");
		ck_assert_uint_eq(c->count, 3);
		for (unsigned k = 0; k < 3; k++) {
			gnutls_datum_t der;

			must(gnutls_x509_crt_export2(k == 0 ? leaf.crt :
				k == 1                      ? middle.crt :
							      root.crt,
			    GNUTLS_X509_FMT_DER, &der));
			ck_assert_uint_eq(c->chain[k].cert.size, der.size);
			ck_assert_mem_eq(c->chain[k].cert.data, der.data, der.size);
			gnutls_free(der.data);
		}
		/* The root has expired, which is nobody's concern. */
		ck_assert_int_eq(c->expires_s, authority.to_s);
		certificate_unref(c);
	}
	refuses(crt_path, key_path, authority.to_s, "certificate 2 of");
	made_fini(&leaf);
	made_fini(&middle);
	made_fini(&root);
}
END_TEST

START_TEST(warnings_come_daily_and_when_it_expires)
{
	const int64_t first_s = NOW_S - TLS_WARN_AHEAD_S;

	ck_assert(!tls_reminder_is_due(NOW_S, 0, first_s - 1));
	ck_assert(tls_reminder_is_due(NOW_S, 0, first_s));
	ck_assert(!tls_reminder_is_due(NOW_S, first_s, first_s + 1));
	ck_assert(!tls_reminder_is_due(NOW_S, first_s, first_s + DAY_S - 1));
	ck_assert(tls_reminder_is_due(NOW_S, first_s, first_s + DAY_S));
	/* At its last second, also if a warning came just before; then daily again. */
	ck_assert(!tls_reminder_is_due(NOW_S, NOW_S - 2, NOW_S - 1));
	ck_assert(tls_reminder_is_due(NOW_S, NOW_S - 2, NOW_S));
	ck_assert(!tls_reminder_is_due(NOW_S, NOW_S, NOW_S + DAY_S - 1));
	ck_assert(tls_reminder_is_due(NOW_S, NOW_S, NOW_S + DAY_S));
	/* The clock was set back. */
	ck_assert(tls_reminder_is_due(NOW_S, NOW_S - DAY_S, NOW_S - 2 * DAY_S));
	ck_assert(!tls_reminder_is_due(NOW_S, NOW_S - DAY_S, first_s - 1));
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("certificate");
	TCase *t = tcase_create("certificate");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, the_time_decides_to_the_second);
	tcase_add_test(t, keys_and_certificates_must_match);
	tcase_add_test(t, cut_files_are_refused);
	tcase_add_test(t, what_is_no_file_or_too_much_is_refused);
	tcase_add_test(t, a_chain_is_put_in_order);
	tcase_add_test(t, warnings_come_daily_and_when_it_expires);
	suite_add_tcase(s, t);
	return s;
}
