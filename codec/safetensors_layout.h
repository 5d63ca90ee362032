/* SPDX-License-Identifier: MIT */
/* The places of tensors in the data. Private to codec/. */
#pragma once

#include "codec/safetensors_header.h"

/*
 * Checks that the data of all tensors, sorted by (begin, end), has no holes and no overlaps: each begins where the one
 * before it ends, and the first at 0. Sets h->data_bytes. Errors: bad_safetensors at a tensor's name; body_too_large
 * above `data_bytes_max`, which has at most 62 bits; overloaded.
 */
int safetensors_layout(struct safetensors_header *h, uint64_t data_bytes_max, struct err *e) MUST_CHECK;
