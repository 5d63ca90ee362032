/* The two halves of writing: decimal_write.c takes any number, decimal_write_f32.c the usual float. Private to the decimal codec. */
#ifndef CODEC_DECIMAL_WRITE_H
#define CODEC_DECIMAL_WRITE_H

#include <stddef.h>
#include <stdint.h>

/* digits·10^exponent, 0 < digits < 10^17. */
struct decimal {
	uint64_t digits;
	int exponent;
};

/* Writes the number. Returns the text's length plus `before`, the bytes that the caller has put before `out`. */
size_t decimal_write_any(struct decimal decimal, char *out, size_t before);

/* The same for any finite float, by its bits without the sign. */
size_t decimal_write_any_f32(uint32_t bits, char *out, size_t before);

#endif
