/* SPDX-License-Identifier: MIT */
/*
 * NaN and infinity among a tensor's values, for JSON that has names for them: NaN, Infinity and -Infinity, as Python,
 * JavaScript and servers of the Open Inference Protocol write and read them. Private to codec/.
 */
#pragma once

#include "codec/tensor.h"

#define JSON_NON_FINITE_BYTES 9 /* of the longest name */

/* The index of the first value in [from, to) that is not finite, or `to`. For textual datatypes. */
size_t json_non_finite_find(enum datatype datatype, const void *values, size_t from, size_t to);

/* Writes the name of value `i`, which is not finite, without a NUL. Returns its length. */
size_t json_non_finite_write(enum datatype datatype, const void *values, size_t i, char *out);
