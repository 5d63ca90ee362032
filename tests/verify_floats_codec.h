/* SPDX-License-Identifier: MIT */
/* What verify_floats asks of the codec's inner parts, which are C. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Whether text[0..len), at most 40 characters, is read as the float of these bits: by the exact reader, and by the
 * in-line one in a list.
 */
bool verify_read_f32(const char *text, size_t len, uint32_t bits);

/*
 * Whether the floats of these bits are the same text at once as one by one, by every set of instructions of this
 * machine.
 */
#define VERIFY_LIST 16
bool verify_list_f32(const uint32_t bits[VERIFY_LIST]);
