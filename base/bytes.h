/* SPDX-License-Identifier: MIT */
/* Numbers as little-endian bytes, on any machine. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void
bytes_put_le64(unsigned char out[8], uint64_t v)
{
	for (int i = 0; i < 8; i++)
		out[i] = (unsigned char)(v >> (8 * i));
}

static inline uint64_t
bytes_get_le64(const unsigned char in[8])
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v |= (uint64_t)in[i] << (8 * i);
	return v;
}

/* `n` doubles as 8·n bytes, IEEE 754 binary64. Every bit pattern survives. */
static inline void
bytes_put_doubles(unsigned char *out, const double *in, size_t n)
{
	uint64_t bits;

	for (size_t i = 0; i < n; i++) {
		memcpy(&bits, in + i, sizeof(bits));
		bytes_put_le64(out + 8 * i, bits);
	}
}

static inline void
bytes_get_doubles(double *out, const unsigned char *in, size_t n)
{
	uint64_t bits;

	for (size_t i = 0; i < n; i++) {
		bits = bytes_get_le64(in + 8 * i);
		memcpy(out + i, &bits, sizeof(bits));
	}
}
