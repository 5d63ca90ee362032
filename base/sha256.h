/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 (FIPS 180-4) of bytes that come in pieces, by libnettle. It is what clients compute too, to know a state
 * again; base/digest.h is the fast fingerprint for what stays inside. A struct sha256 is a plain value: it needs no
 * memory, nothing can fail, and a copy goes on from where the original was.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <nettle/sha2.h>

#include "base/compiler.h"

#define SHA256_BYTES 32

struct sha256 {
	struct sha256_ctx state; /* nettle's */
};

void sha256_begin(struct sha256 *s);

/* Adds the next bytes; any pointer will do where `len` is 0. How they are cut into pieces makes no difference. */
void sha256_add(struct sha256 *s, const void *bytes, size_t len);

/* The digest of all bytes since sha256_begin, which has to be called again before the next use. */
void sha256_end(struct sha256 *s, unsigned char out[SHA256_BYTES]);

/* A digest as text: "sha256:", 64 lower-case hexadecimal digits, and a NUL. */
#define SHA256_TEXT_BYTES 72
void sha256_format(const unsigned char digest[SHA256_BYTES], char out[SHA256_TEXT_BYTES]);

/* Reads a text of exactly that form; false: it has another, and `out` is undefined. */
bool sha256_parse(const char *text, unsigned char out[SHA256_BYTES]) MUST_CHECK;
