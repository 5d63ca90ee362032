/*
 * One element of each type of tensor: read as a double, which is exact; stored as the nearest number of its type, rounded once. The
 * kernels' bodies are included once a type and name these by it. Private to norm/.
 *
 * excess_ is 0 where x is finite, else not, in an integer as wide as x: loops "or" it together and look at it once, at the end.
 * For x - x is 0, but NaN for an infinity or NaN; and the largest exponent plus 1 carries into the sign.
 */
#ifndef NORM_ELEMENT_H
#define NORM_ELEMENT_H

#include "norm/half.h"

static inline double
load_float(float x)
{
	return (double)x;
}

static inline float
store_float(double x)
{
	return (float)x;
}

static inline uint32_t
excess_float(float x)
{
	return float_bits(x - x);
}

static inline double
load_double(double x)
{
	return x;
}

static inline double
store_double(double x)
{
	return x;
}

static inline uint64_t
excess_double(double x)
{
	return double_bits(x - x);
}

static inline double
load_half(uint16_t x)
{
	return half_to_double(x);
}

static inline uint16_t
store_half(double x)
{
	return half_from_double(x);
}

static inline uint16_t
excess_half(uint16_t x)
{
	return (uint16_t)((x & 0x7fff) + 0x0400) & 0x8000;
}

static inline double
load_bfloat(uint16_t x)
{
	return bfloat_to_double(x);
}

static inline uint16_t
store_bfloat(double x)
{
	return bfloat_from_double(x);
}

static inline uint16_t
excess_bfloat(uint16_t x)
{
	return (uint16_t)((x & 0x7fff) + 0x0080) & 0x8000;
}

#endif
