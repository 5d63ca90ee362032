/* SPDX-License-Identifier: MIT */
/* Runs of numbers, where they lie, with only a comma and perhaps spaces between them. Private to codec/. */
#pragma once

#include "codec/decimal.h"
#include "codec/json_array.h"

/*
 * Reads up to `room` values, at least one, from in->p, where a number starts, and sets the state. Unless the result is
 * DECIMAL_OK, in->p is at a number that could not be read, and *end is as decimal_read has set it.
 */
enum decimal_result
json_run_read(struct json_array *a, size_t room, struct json_input *in, const char **end) MUST_CHECK;
