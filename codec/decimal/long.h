/* SPDX-License-Identifier: MIT */
/*
 * Reads any number that fast.h does not read. Fast for the long numbers of a list: of up to 19 digits or with an
 * exponent, before a ',' or a ']' within 32 characters. As decimal_read; `floor` <= p is the first byte that may be
 * looked at.
 */
#ifndef CODEC_DECIMAL_LONG_H
#define CODEC_DECIMAL_LONG_H

#include "codec/decimal.h"

enum decimal_result decimal_long_read(const char *floor, const char *p, const char *limit, const char **end,
    enum decimal_type type, void *value) MUST_CHECK;

#endif
