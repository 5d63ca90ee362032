/* SPDX-License-Identifier: MIT */
/*
 * Numbers and their decimal text, exactly. Reading rounds correctly and straight to the type, never through a wider
 * one. Writing gives the shortest text that reads back to the same bits, and of the shortest the closest. No locale, no
 * allocation, no global state.
 *
 * The code is in codec/decimal/, whose headers are private to it, but for the in-line reader fast.h (json_run.c).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* What a number is read to: float, double, or a uint16_t with the bits of binary16, for which C11 has no type. */
enum decimal_type { DECIMAL_F16, DECIMAL_F32, DECIMAL_F64 };

enum decimal_result {
	DECIMAL_OK,         /* *end is the byte after the number */
	DECIMAL_INCOMPLETE, /* the number runs up to `limit` and might go on there; *end is not set */
	DECIMAL_INVALID,    /* not a JSON number; *end is the byte that is wrong */
	DECIMAL_OVERFLOW,   /* a JSON number too large for the type; *end is the byte after it */
	DECIMAL_MEMORY      /* not by these functions: no memory to keep the number (json_doubts.h) */
};

/*
 * Reads the JSON number (RFC 8259, section 6) at `p`, looking no further than `limit`, into *value, which is set on
 * DECIMAL_OK only. Underflow gives a subnormal or a zero with the number's sign.
 */
enum decimal_result
decimal_read(const char *p, const char *limit, const char **end, enum decimal_type type, void *value) MUST_CHECK;

/*
 * The same, fast for the long numbers of a list: of up to 19 digits or with an exponent, before a ',' or a ']' within
 * 32 characters. `floor` <= p is the first byte that may be looked at.
 */
enum decimal_result decimal_long_read(const char *floor, const char *p, const char *limit, const char **end,
    enum decimal_type type, void *value) MUST_CHECK;

/* The most bytes that a write needs: it may use them all as scratch, whatever the text's length. */
#define DECIMAL_F16_BYTES 32
#define DECIMAL_F32_BYTES 32
#define DECIMAL_F64_BYTES 40

/* The most bytes of a text: -0.0000ddddd, -ddddddddddddddd0 of 16 digits, -d.dddddddddddddddde-308. */
#define DECIMAL_F16_TEXT 12
#define DECIMAL_F32_TEXT 17
#define DECIMAL_F64_TEXT 24

/* Writes a finite value as a JSON number, without a NUL. Returns the text's length. -0 is "-0". */
size_t decimal_write_f16(uint16_t bits, char *out);
size_t decimal_write_f32(float value, char *out);
size_t decimal_write_f64(double value, char *out);

/*
 * Writes `n` finite floats as decimal_write_f32 does, with a comma after each, many at a time where the processor can.
 * It may use all of n · (DECIMAL_F32_BYTES + 1) bytes. Returns the byte after the last comma.
 */
char *decimal_write_list_f32(const float *values, size_t n, char *out);
