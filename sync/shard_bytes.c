/* SPDX-License-Identifier: MIT */
#include "sync/shard_bytes.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define HEAD_BYTES ((size_t)24) /* count, limit, empty */

static size_t
array_count(bool backward)
{
	return backward ? 4 : 2;
}

static size_t
length_of(size_t features, bool backward)
{
	return HEAD_BYTES + array_count(backward) * features * sizeof(double);
}

unsigned char *
shard_to_bytes(const struct shard *s, bool backward, size_t *length)
{
	const double *const arrays[] = { s->moments.mean, s->moments.var, s->sum, s->product };
	const size_t array_bytes = s->features * sizeof(double);
	unsigned char *bytes;

	*length = length_of(s->features, backward);
	bytes = calloc(1, *length); /* an array that is not there is zeros */
	if (bytes == NULL)
		return NULL;
	bytes_put_le64(bytes, s->moments.count);
	bytes_put_doubles(bytes + 8, &s->limit, 1);
	bytes_put_le64(bytes + 16, s->empty);
	for (size_t i = 0; i < array_count(backward); i++)
		if (arrays[i] != NULL)
			bytes_put_doubles(bytes + HEAD_BYTES + i * array_bytes, arrays[i], s->features);
	return bytes;
}

bool
shard_from_bytes(
    const unsigned char *bytes, size_t length, size_t features, bool backward, double *values, struct shard *s)
{
	if (length != length_of(features, backward))
		return false;
	memset(s, 0, sizeof(*s));
	s->features = features;
	s->moments.count = bytes_get_le64(bytes);
	bytes_get_doubles(&s->limit, bytes + 8, 1);
	s->empty = bytes_get_le64(bytes + 16) != 0;
	bytes_get_doubles(values, bytes + HEAD_BYTES, array_count(backward) * features);
	s->moments.mean = values;
	s->moments.var = values + features;
	if (backward) {
		s->sum = values + 2 * features;
		s->product = values + 3 * features;
	}
	return true;
}
