/* SPDX-License-Identifier: MIT */
/* Hashing of names for tables in memory. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

#define HASH_START UINT64_C(14695981039346656037)

/*
 * FNV-1a over a text and an end mark, on top of `h`, so that two texts after each other are not one long one. Start
 * from HASH_START mixed with a seed that clients do not know, where it is they who choose the texts. Fold the result
 * once before taking its low bits: hash_fold.
 */
static inline uint64_t
hash_text(uint64_t h, const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	return (h ^ 0xff) * 1099511628211u;
}

static inline uint64_t
hash_fold(uint64_t h)
{
	return h ^ h >> 32;
}

#endif
