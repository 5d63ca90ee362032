/* SPDX-License-Identifier: MIT */
#include "base/sha256.h"

#include <nettle/version.h>
#include <string.h>

#define PREFIX "sha256:"
#define PREFIX_BYTES (sizeof(PREFIX) - 1)

_Static_assert(SHA256_BYTES == SHA256_DIGEST_SIZE, "");
_Static_assert(SHA256_TEXT_BYTES == PREFIX_BYTES + (size_t)2 * SHA256_BYTES + 1, "");

static const char digits[] = "0123456789abcdef";

void
sha256_begin(struct sha256 *s)
{
	sha256_init(&s->state);
}

void
sha256_add(struct sha256 *s, const void *bytes, size_t len)
{
	/* nettle passes the pointer to memcpy, which must not get a NULL even for no bytes. */
	if (len > 0)
		sha256_update(&s->state, len, bytes);
}

void
sha256_end(struct sha256 *s, unsigned char out[SHA256_BYTES])
{
	/* From version 4 on, nettle's digests have one length. */
#if NETTLE_VERSION_MAJOR >= 4
	sha256_digest(&s->state, out);
#else
	sha256_digest(&s->state, SHA256_BYTES, out);
#endif
}

void
sha256_format(const unsigned char digest[SHA256_BYTES], char out[SHA256_TEXT_BYTES])
{
	char *p = out + PREFIX_BYTES;

	memcpy(out, PREFIX, PREFIX_BYTES);
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		*p++ = digits[digest[i] >> 4];
		*p++ = digits[digest[i] & 15];
	}
	*p = '\0';
}

/* Of one of the digits. */
static unsigned
nibble(char digit)
{
	return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

bool
sha256_parse(const char *text, unsigned char out[SHA256_BYTES])
{
	if (strncmp(text, PREFIX, PREFIX_BYTES) != 0 ||
	    strspn(text + PREFIX_BYTES, digits) != (size_t)2 * SHA256_BYTES ||
	    text[PREFIX_BYTES + (size_t)2 * SHA256_BYTES] != '\0')
		return false;
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		const char *p = text + PREFIX_BYTES + 2 * i;

		out[i] = (unsigned char)(nibble(p[0]) << 4 | nibble(p[1]));
	}
	return true;
}
