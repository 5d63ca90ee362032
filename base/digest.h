/* SPDX-License-Identifier: MIT */
/*
 * A fingerprint of bytes that come in pieces: XXH3, 128 bits. Two different bodies have the same one by chance alone,
 * once in 2^128; who wants a collision can make one, so it guards against mistakes, not against an enemy.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>

#include "base/compiler.h"

#define DIGEST_BYTES 16

struct digest;

/* An empty one, or NULL when there is no memory. */
struct digest *digest_new(void) MUST_CHECK;
void digest_free(struct digest *d); /* NULL is fine */

/* The next bytes. How they are cut into pieces makes no difference. */
void digest_add(struct digest *d, const void *bytes, size_t len);

/* The fingerprint of all so far; the same on every machine. */
void digest_get(const struct digest *d, unsigned char out[DIGEST_BYTES]);

#endif
