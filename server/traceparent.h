/* SPDX-License-Identifier: MIT */
/*
 * The header traceparent (W3C Trace Context): version, trace, parent and flags, as `00-<32 hex>-<16 hex>-<2 hex>`. A
 * malformed one is left out of the log, as the standard asks; a later version is read as far as version 00 goes.
 */
#pragma once

#include <stddef.h>

#define TRACEPARENT_BYTES 56

/* Copies the header's value, which was sent `count` times (0: `text` is NULL). "" if it is not valid. */
void traceparent_copy(const char *text, size_t count, char out[TRACEPARENT_BYTES]);
