/* SPDX-License-Identifier: MIT */
/*
 * Numbers and their decimal text, both ways, exactly: reading rounds correctly straight to the target type (never
 * through a wider one); writing gives the shortest text that reads back to the same bits, and the closest of the
 * shortest. No locale, no allocation on the common path, no global state; any thread may call.
 */
#ifndef CODEC_DECIMAL_H
#define CODEC_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

enum decimal_result {
	DECIMAL_OK,         /* *end is the byte after the number */
	DECIMAL_INCOMPLETE, /* the number runs up to `limit` and might go on there */
	DECIMAL_INVALID,    /* not a JSON number; *end is the byte that is wrong */
	DECIMAL_OVERFLOW,   /* a JSON number too large for the type; *end is the byte after it */
	DECIMAL_MEMORY      /* a number of thousands of digits, and no memory to read it */
};

/*
 * Reads the JSON number (RFC 8259, section 6) that starts at `p`, looking no further than `limit`. Underflow gives a
 * subnormal or a zero of the number's sign.
 *
 *   out  end    see above; set on every result but DECIMAL_INCOMPLETE
 *   out  value  set on DECIMAL_OK only
 *
 * A float16 is given as the bits of IEEE 754's binary16, for which C11 has no type.
 */
enum decimal_result decimal_read_f16(const char *p, const char *limit, const char **end, uint16_t *bits) MUST_CHECK;
enum decimal_result decimal_read_f32(const char *p, const char *limit, const char **end, float *value) MUST_CHECK;
enum decimal_result decimal_read_f64(const char *p, const char *limit, const char **end, double *value) MUST_CHECK;

/* The most bytes that a write needs: it may use them all as scratch, whatever the text's length. */
#define DECIMAL_F16_BYTES 32
#define DECIMAL_F32_BYTES 32
#define DECIMAL_F64_BYTES 40

/* Writes a finite value as a JSON number (no NUL after it). Returns the text's length. -0 is "-0". */
size_t decimal_write_f16(uint16_t bits, char *out);
size_t decimal_write_f32(float value, char *out);
size_t decimal_write_f64(double value, char *out);

/*
 * Writes `n` finite floats as decimal_write_f32 does, a comma after each, many at a time where the processor can. It
 * may use all of n · (DECIMAL_F32_BYTES + 1) bytes. Returns what is after the last comma.
 */
char *decimal_write_list_f32(const float *values, size_t n, char *out);

#endif
