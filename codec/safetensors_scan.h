/* SPDX-License-Identifier: MIT */
/* The tokens of a safetensors header. Private to codec/. */
#pragma once

#include "codec/safetensors_header.h"

/*
 * Takes one token, or as much of it as the input has; the input has at least one byte. Errors: bad_safetensors; where
 * memory is missing, the result is 0, and a buffer of the header has failed.
 */
int header_scan(struct safetensors_header *h, struct json_input *in, struct err *e) MUST_CHECK;
