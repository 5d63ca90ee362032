/* SPDX-License-Identifier: MIT */
/* Hashing of names for tables in memory. */
#pragma once

#include <stdint.h>

#define HASH_START UINT64_C(14695981039346656037)

/* FNV-1a, 64 bits (Fowler, Noll, Vo): one more byte. */
static inline uint64_t
hash_byte(uint64_t h, unsigned char c)
{
	return (h ^ c) * 1099511628211u;
}

/* A text and an end mark. For texts that clients choose, start from HASH_START mixed with a seed they do not know. */
static inline uint64_t
hash_text(uint64_t h, const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		h = hash_byte(h, (unsigned char)*p);
	return hash_byte(h, 0xff);
}

/* To be done once, before the low bits are used. */
static inline uint64_t
hash_fold(uint64_t h)
{
	return h ^ h >> 32;
}

/* Spreads what the texts differ in over all bits (the end of MurmurHash3, Appleby), so that hashes can be ordered. */
static inline uint64_t
hash_mix(uint64_t h)
{
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 33;
}
