/* SPDX-License-Identifier: MIT */
/* A fingerprint of bytes that come in pieces: XXH3, 128 bits. It guards against mistakes, not against attackers. */
#pragma once

#include <stddef.h>

#include "base/compiler.h"

#define DIGEST_BYTES 16

struct digest;

struct digest *digest_new(void) MUST_CHECK;
void digest_free(struct digest *d);

/* Adds the next bytes. How they are cut into pieces makes no difference. */
void digest_add(struct digest *d, const void *bytes, size_t len);

/* The fingerprint of all bytes so far, the same on every machine. */
void digest_get(const struct digest *d, unsigned char out[DIGEST_BYTES]);
