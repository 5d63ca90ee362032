/* SPDX-License-Identifier: MIT */
/* The tensors of a layer in a file of a model's state: PyTorch's names of them in a state_dict. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layer/definition.h"
#include "storage/store.h"

enum state_tensor { STATE_WEIGHT, STATE_BIAS, STATE_MEAN, STATE_VAR, STATE_BATCHES, STATE_TENSOR_COUNT };

/* "weight" */
const char *state_tensor_name(enum state_tensor tensor);

/* Room for a layer's name, a dot, a tensor's name and the NUL. */
#define STATE_NAME_BYTES (STORE_NAME_MAX + 1 + (size_t)20)

/* Writes "LAYER.weight". Returns its length. */
size_t state_tensor_format(const char *layer, enum state_tensor tensor, char out[STATE_NAME_BYTES]);

/* Whether `name` is that of this tensor of some layer; *layer_len is the length of the layer's name, the first part. */
bool state_tensor_is(const char *name, size_t len, enum state_tensor tensor, size_t *layer_len);

/* Whether a layer with this definition has the tensor. */
bool state_tensor_of(const struct definition *d, enum state_tensor tensor);

/* The metadata beside them: "normd.definition.LAYER", a definition, and "normd.count.LAYER", the count of values. */
#define STATE_DEFINITION_KEY "normd.definition."
#define STATE_COUNT_KEY "normd.count."
#define STATE_DIGEST_KEY "normd.digest"
#define STATE_VERSION_KEY "normd.version"

/* Room for a key with a layer's name, and the NUL. */
#define STATE_KEY_BYTES (sizeof(STATE_DEFINITION_KEY) + STORE_NAME_MAX)

/* Writes a key and a layer's name. Returns the length. */
size_t state_key_format(const char *key, const char *layer, char out[STATE_KEY_BYTES]);
