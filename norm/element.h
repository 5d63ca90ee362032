/*
 * One element of each type of tensor: read as a double, which is exact; stored as the nearest number of its type, rounded once;
 * whether what is stored is finite. The kernels' bodies are included once a type and name these by it. Private to norm/.
 */
#ifndef NORM_ELEMENT_H
#define NORM_ELEMENT_H

#include <math.h>
#include <stdbool.h>

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

static inline bool
finite_float(float x)
{
	return isfinite(x);
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

static inline bool
finite_double(double x)
{
	return isfinite(x);
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

static inline bool
finite_half(uint16_t x)
{
	return (x & 0x7c00) != 0x7c00;
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

static inline bool
finite_bfloat(uint16_t x)
{
	return (x & 0x7f80) != 0x7f80;
}

#endif
