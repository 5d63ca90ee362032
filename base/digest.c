/* SPDX-License-Identifier: MIT */
#include "base/digest.h"

/* In this file alone, without the shared library. */
#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

/* struct digest is XXH3_state_t, which needs a special alignment: its library allocates it. */
static XXH3_state_t *
state_of(struct digest *d)
{
	return (XXH3_state_t *)(void *)d;
}

struct digest *
digest_new(void)
{
	XXH3_state_t *state = XXH3_createState();

	if (state != NULL)
		(void)XXH3_128bits_reset(state);
	return (struct digest *)(void *)state;
}

void
digest_free(struct digest *d)
{
	(void)XXH3_freeState(state_of(d));
}

void
digest_add(struct digest *d, const void *bytes, size_t len)
{
	if (len > 0)
		(void)XXH3_128bits_update(state_of(d), bytes, len);
}

void
digest_get(const struct digest *d, unsigned char out[DIGEST_BYTES])
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest((const XXH3_state_t *)(const void *)d));
	memcpy(out, canonical.digest, DIGEST_BYTES);
}
