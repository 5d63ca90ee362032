/* The reading half of verify_floats, compiled as C like the codec itself: its in-line reader is C. */
#ifndef TESTS_VERIFY_FLOATS_READ_H
#define TESTS_VERIFY_FLOATS_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether text[0..len), at most 40 characters, is read as the float of these bits: by the exact reader, and by the in-line one in a list. */
bool verify_read_f32(const char *text, size_t len, uint32_t bits);

#endif
