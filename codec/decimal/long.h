/* SPDX-License-Identifier: MIT */
/*
 * Reading what fast.h does not read itself: first the long number of a list, one of up to 19 digits, or with an
 * exponent, that ends in a ',' or a ']' within 32 characters, at once; then any. `floor` <= p is the first byte that
 * may be looked at; all else is as in decimal.h.
 */
#ifndef CODEC_DECIMAL_LONG_H
#define CODEC_DECIMAL_LONG_H

#include "codec/decimal.h"

enum decimal_result decimal_long_read(const char *floor, const char *p, const char *limit, const char **end,
    enum decimal_type type, void *value) MUST_CHECK;

#endif
