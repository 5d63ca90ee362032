/* SPDX-License-Identifier: MIT */
/*
 * Bytes that a text must not have, looked for eight at a time because every head is; blanks behind it; numbers in it.
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define OCTETS_EACH (UINT64_MAX / 255)

/* Of eight bytes: not 0 if one is below `least` (at most 128), is 0x7f, or, where `ascii`, is above that. */
static inline uint64_t
octets_bad_of(uint64_t word, unsigned char least, bool ascii)
{
	const uint64_t deletes = word ^ (OCTETS_EACH * 0x7f), highest = OCTETS_EACH << 7;

	return (((word - OCTETS_EACH * least) & ~word) | ((deletes - OCTETS_EACH) & ~deletes) | (ascii ? word : 0)) &
	    highest;
}

/* Whether a text has such a byte. */
static inline bool
octets_have_bad(const char *text, size_t len, unsigned char least, bool ascii)
{
	uint64_t word = OCTETS_EACH * 'a', bad = 0;

	if (len < sizeof(word)) {
		memcpy(&word, text, len);
		return octets_bad_of(word, least, ascii) != 0;
	}
	for (size_t at = 0; at + sizeof(word) < len && bad == 0; at += sizeof(word)) {
		memcpy(&word, text + at, sizeof(word));
		bad = octets_bad_of(word, least, ascii);
	}
	memcpy(&word, text + len - sizeof(word), sizeof(word)); /* the last eight, which may overlap those before */
	return (bad | octets_bad_of(word, least, ascii)) != 0;
}

/* The value of a hex digit; -1: it is none. */
static inline int
octets_hex(char c)
{
	const char lower = (char)(c | 0x20);

	if (c >= '0' && c <= '9')
		return c - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* A header value's length without the blanks behind it (RFC 9110, section 5.5). */
static inline size_t
octets_trim(const char *value, size_t len)
{
	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	return len;
}

/* The number at *text, which moves behind it; UINT64_MAX where it is larger. False: there is none, and it stays. */
static inline bool
octets_number(const char **text, uint64_t *number)
{
	const char *p = *text;
	uint64_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		const uint64_t digit = (uint64_t)(*p - '0');

		n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : 10 * n + digit;
	}
	if (p == *text)
		return false;
	*text = p;
	*number = n;
	return true;
}
