/* SPDX-License-Identifier: MIT */
/*
 * Numbers as little-endian bytes, on any machine. There are no loops, because compilers then make one instruction of
 * eight bytes on little-endian machines.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void
bytes_put_le64(unsigned char out[8], uint64_t v)
{
	out[0] = (unsigned char)v;
	out[1] = (unsigned char)(v >> 8);
	out[2] = (unsigned char)(v >> 16);
	out[3] = (unsigned char)(v >> 24);
	out[4] = (unsigned char)(v >> 32);
	out[5] = (unsigned char)(v >> 40);
	out[6] = (unsigned char)(v >> 48);
	out[7] = (unsigned char)(v >> 56);
}

static inline uint64_t
bytes_get_le64(const unsigned char in[8])
{
	return (uint64_t)in[0] | (uint64_t)in[1] << 8 | (uint64_t)in[2] << 16 | (uint64_t)in[3] << 24 |
	    (uint64_t)in[4] << 32 | (uint64_t)in[5] << 40 | (uint64_t)in[6] << 48 | (uint64_t)in[7] << 56;
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
