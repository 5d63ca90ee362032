/* SPDX-License-Identifier: MIT */
/*
 * The files of tokens and of the certificate are read, and read again as after a SIGHUP. Whichever allocation fails,
 * there is a message, what was read before stays in use, and no memory is left. Libraries' own allocations do not fail:
 * GMP, with which GnuTLS computes, ends the process then.
 */
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/access.h"
#include "server/headers.h"
#include "server/tls.h"
#include "server/tokens.h"
#include "tests/memory/sweeps.h"
#include "tests/memory/trial.h"

#define TOKEN "normd_0123456789012345678901234567890123456789012"

static char directory[32], tokens_path[64], crt_path[64], key_path[64];

static void
write_file(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");

	must(f != NULL && fwrite(bytes, 1, len, f) == len && fclose(f) == 0 && chmod(path, 0600) == 0, path);
}

static void
write_tokens(void)
{
	unsigned char digest[SHA256_BYTES];
	char hash[SHA256_TEXT_BYTES], text[256];
	int len;

	token_digest(TOKEN, strlen(TOKEN), digest);
	sha256_format(digest, hash);
	len = snprintf(
	    text, sizeof(text), "%s infer a,b,c # first\n%064d admin *\n%064d train d\n", strchr(hash, ':') + 1, 1, 2);
	write_file(tokens_path, text, (size_t)len);
}

/* A certificate that signs itself, and its key. */
static void
write_certificate(void)
{
	const unsigned bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
	const time_t now = time(NULL);
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t crt = NULL;
	gnutls_datum_t text;

	must(gnutls_x509_privkey_init(&key) == 0 && gnutls_x509_crt_init(&crt) == 0 &&
		gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, bits, 0) == 0 &&
		gnutls_x509_crt_set_version(crt, 3) == 0 && gnutls_x509_crt_set_serial(crt, "1", 1) == 0 &&
		gnutls_x509_crt_set_activation_time(crt, now - 1) == 0 &&
		gnutls_x509_crt_set_expiration_time(crt, now + 90 * 86400) == 0 &&
		gnutls_x509_crt_set_key(crt, key) == 0 &&
		gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) == 0,
	    "a certificate");
	must(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &text) == 0, "its text");
	write_file(crt_path, text.data, text.size);
	gnutls_free(text.data);
	must(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &text) == 0, "the key's text");
	write_file(key_path, text.data, text.size);
	gnutls_free(text.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

static void
check_message(const struct err *e)
{
	if (e->code == ERR_NONE || e->detail[0] == '\0')
		trial_complain("no message", "");
}

static void
try_tokens(void)
{
	const struct access_options options = { .path = tokens_path };
	const struct headers headers = { .value[HEADER_AUTHORIZATION] = "Bearer " TOKEN,
		.count[HEADER_AUTHORIZATION] = 1 };
	struct access_seen seen = { 0 };
	struct access_table *a;
	struct err e = { 0 };
	int read_again = -1;

	trial_arm();
	a = access_new(&options, &e);
	if (a != NULL)
		read_again = access_reload(a, &e);
	trial_disarm();
	if (read_again < 0)
		check_message(&e);
	if (a != NULL && access_identify(a, &seen, &headers) == &caller_nobody)
		trial_complain("a token is forgotten", "");
	access_seen_fini(&seen);
	access_free(a);
}

static void
try_certificate(void)
{
	struct certificate *c;
	struct err e = { 0 };
	int read_again = -1;
	struct tls *t;

	trial_arm();
	t = tls_open(crt_path, key_path, &e);
	if (t != NULL)
		read_again = tls_reload(t, &e);
	trial_disarm();
	if (read_again < 0)
		check_message(&e);
	if (t != NULL) {
		c = tls_certificate(t);
		if (c->count != 1)
			trial_complain("the certificate is not in use", "");
		certificate_unref(c);
	}
	tls_close(t);
}

static void
sweep(const char *name, void (*try)(void), enum fault_mode mode)
{
	long live;

	trial_begin(name);
	trial_sweep(mode, FAULT_OURS);
	while (trial_next()) {
		live = fault_live();
		try();
		if (fault_live() != live)
			trial_complain("memory is left", "");
	}
	trial_end();
}

void
sweep_files(void)
{
	snprintf(directory, sizeof(directory), "/tmp/normd-files-XXXXXX");
	must(mkdtemp(directory) != NULL, directory);
	snprintf(tokens_path, sizeof(tokens_path), "%s/tokens", directory);
	snprintf(crt_path, sizeof(crt_path), "%s/crt", directory);
	snprintf(key_path, sizeof(key_path), "%s/key", directory);
	write_tokens();
	write_certificate();
	for (enum fault_mode mode = FAULT_ONCE; mode <= FAULT_FROM_THEN_ON; mode++) {
		sweep("the file of tokens", try_tokens, mode);
		sweep("the certificate", try_certificate, mode);
	}
	unlink(tokens_path);
	unlink(crt_path);
	unlink(key_path);
	must(rmdir(directory) == 0, directory);
}
