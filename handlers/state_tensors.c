/* SPDX-License-Identifier: MIT */
#include "handlers/state_tensors.h"

#include <stdio.h>
#include <string.h>

static const char *const names[STATE_TENSOR_COUNT] = {
	[STATE_WEIGHT] = "weight",
	[STATE_BIAS] = "bias",
	[STATE_MEAN] = "running_mean",
	[STATE_VAR] = "running_var",
	[STATE_BATCHES] = "num_batches_tracked",
};

const char *
state_tensor_name(enum state_tensor tensor)
{
	return names[tensor];
}

size_t
state_tensor_format(const char *layer, enum state_tensor tensor, char out[STATE_NAME_BYTES])
{
	return (size_t)snprintf(out, STATE_NAME_BYTES, "%s.%s", layer, names[tensor]);
}

bool
state_tensor_is(const char *name, size_t len, enum state_tensor tensor, size_t *layer_len)
{
	const size_t end = strlen(names[tensor]);

	if (len < end || memcmp(name + len - end, names[tensor], end) != 0)
		return false;
	*layer_len = len > end ? len - end - 1 : 0;
	return len == end || name[len - end - 1] == '.';
}

size_t
state_key_format(const char *key, const char *layer, char out[STATE_KEY_BYTES])
{
	return (size_t)snprintf(out, STATE_KEY_BYTES, "%s%s", key, layer);
}

bool
state_tensor_of(const struct definition *d, enum state_tensor tensor)
{
	if (tensor == STATE_WEIGHT)
		return d->affine;
	return tensor == STATE_BIAS ? d->bias : d->track_running_stats;
}
