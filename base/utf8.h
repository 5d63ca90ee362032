/* SPDX-License-Identifier: MIT */
/* UTF-8, checked byte by byte (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
#pragma once

#include <stdbool.h>

/* A place in a text. Zeroed: between two characters. */
struct utf8 {
	unsigned char left; /* bytes that must still come */
	unsigned char low;  /* the range of the next one */
	unsigned char high;
};

/* Takes the first byte of a character. False: no character starts with it. */
static inline bool
utf8_first(struct utf8 *u, unsigned char c)
{
	if (c < 0x80)
		return true;
	if (c < 0xc2 || c > 0xf4)
		return false;
	u->left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	u->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	u->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	return true;
}

/* Takes the next byte. False: it cannot come here; `u` is then as before. */
static inline bool
utf8_next(struct utf8 *u, unsigned char c)
{
	if (u->left == 0)
		return utf8_first(u, c);
	if (c < u->low || c > u->high)
		return false;
	u->left--;
	u->low = 0x80;
	u->high = 0xbf;
	return true;
}

/* Writes a code point (not a surrogate, <= U+10FFFF) as UTF-8. Returns the bytes written, 1 to 4. */
static inline unsigned
utf8_encode(unsigned code, char out[4])
{
	unsigned n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (unsigned i = n - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	out[0] = (char)(lead[n] | code);
	return n;
}
