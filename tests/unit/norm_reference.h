/* SPDX-License-Identifier: MIT */
/*
 * What the tests of norm/ share: seeded numbers without libm (so the same everywhere), and the plain reference, one
 * loop a formula, in a type wide enough to be exact beside double.
 */
#pragma once

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "norm/view.h"

/* Quadruple precision. long double is a last resort: on x86 it has 11 bits more than double, under valgrind none. */
#ifdef __SIZEOF_FLOAT128__
#define WIDE __float128
#else
#define WIDE long double
#endif

static inline WIDE
wide_abs(WIDE x)
{
	return x < 0 ? -x : x;
}

static inline WIDE
wide_max(WIDE a, WIDE b)
{
	return a > b ? a : b;
}

/* Newton's iteration: each step doubles the digits that sqrt gives. */
static inline WIDE
wide_sqrt(WIDE x)
{
	WIDE root = sqrt((double)x);

	if (root == 0)
		return root;
	root = (root + x / root) / 2;
	return (root + x / root) / 2;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 0 <= result < 1 */
static inline double
random_unit(uint64_t *state)
{
	return (double)(random_next(state) >> 11) * 0x1p-53;
}

/* Near enough to a normal deviate: mean 0, variance 1. */
static inline double
random_deviate(uint64_t *state)
{
	double sum = -6;
	int i;

	for (i = 0; i < 12; i++)
		sum += random_unit(state);
	return sum;
}

/* All types, for tests that loop over them. */
static const enum norm_real reals[] = { NORM_FLOAT, NORM_DOUBLE, NORM_HALF, NORM_BFLOAT };
#define REALS ((int)(sizeof(reals) / sizeof(reals[0])))

static inline size_t
view_size(struct norm_view v)
{
	return v.outer * v.feature * v.inner;
}

/*
 * What the two 16-bit types are made of: the bits of the fraction, and the exponents of the smallest normal and of
 * infinity.
 */
struct format16 {
	int fraction;
	int smallest;
	int limit;
};

static inline struct format16
format16_of(enum norm_real real)
{
	return real == NORM_HALF ? (struct format16){ 10, -14, 16 } : (struct format16){ 7, -126, 128 };
}

/* The value of 16 bits, by the definition of IEEE 754 (3.4). */
static inline double
reference_value16(enum norm_real real, unsigned bits)
{
	const struct format16 f = format16_of(real);
	const int fraction = (int)bits & ((1 << f.fraction) - 1);
	const int exponent = (int)(bits & 0x7fff) >> f.fraction;
	double value;

	if (exponent == f.limit - f.smallest + 1)
		value = fraction != 0 ? NAN : INFINITY;
	else if (exponent == 0)
		value = ldexp(fraction, f.smallest - f.fraction);
	else
		value = ldexp(fraction + (1 << f.fraction), f.smallest + exponent - 1 - f.fraction);
	return bits & 0x8000 ? -value : value;
}

/* The bits of the number nearest to x, ties to even: the whole multiples of x's quantum are counted. */
static inline unsigned
reference_bits16(enum norm_real real, WIDE x)
{
	const struct format16 f = format16_of(real);
	const unsigned sign = signbit((double)x) ? 0x8000 : 0;
	const unsigned infinity = (unsigned)(f.limit - f.smallest + 1) << f.fraction;
	WIDE multiple;
	long whole;
	int e;

	if (isnan((double)x))
		return sign | infinity | 1U << (f.fraction - 1);
	x = wide_abs(x);
	if ((double)x >= ldexp(1, f.limit))
		return sign | infinity;
	(void)frexp((double)x, &e);
	e = e - 1 < f.smallest || x == 0 ? f.smallest : e - 1;
	multiple = x * ldexp(1, f.fraction - e);
	whole = (long)multiple;
	if (multiple - whole > 0.5 || (multiple - whole == 0.5 && whole % 2 == 1))
		whole++;
	return sign | (((unsigned)(e - f.smallest) << f.fraction) + (unsigned)whole);
}

/* The number of a type that is nearest to x. */
static inline double
rounded(enum norm_real real, WIDE x)
{
	switch (real) {
	case NORM_FLOAT:
		return (double)(float)x;
	case NORM_DOUBLE:
		return (double)x;
	default:
		return reference_value16(real, reference_bits16(real, x));
	}
}

/* The largest finite number of a type. */
static inline double
real_max(enum norm_real real)
{
	switch (real) {
	case NORM_FLOAT:
		return (double)FLT_MAX;
	case NORM_DOUBLE:
		return DBL_MAX;
	default:
		return real == NORM_HALF ? 65504 : 0x1.fep127;
	}
}

/* Element `at` of a tensor of any type. */
static inline double
element_get(enum norm_real real, const void *x, size_t at)
{
	switch (real) {
	case NORM_FLOAT:
		return (double)((const float *)x)[at];
	case NORM_DOUBLE:
		return ((const double *)x)[at];
	default:
		return reference_value16(real, ((const uint16_t *)x)[at]);
	}
}

static inline void
element_set(enum norm_real real, void *x, size_t at, double value)
{
	switch (real) {
	case NORM_FLOAT:
		((float *)x)[at] = (float)value;
		break;
	case NORM_DOUBLE:
		((double *)x)[at] = value;
		break;
	default:
		((uint16_t *)x)[at] = (uint16_t)reference_bits16(real, value);
	}
}

/* Equations 1 and 2 as they stand, for feature f. */
static inline void
reference_moments(enum norm_real real, const void *x, struct norm_view v, size_t f, WIDE *mean, WIDE *var)
{
	const WIDE n = (WIDE)norm_view_count(v);
	WIDE d;
	size_t o, i;

	*mean = *var = 0;
	for (o = 0; o < v.outer; o++)
		for (i = 0; i < v.inner; i++)
			*mean += element_get(real, x, (o * v.feature + f) * v.inner + i);
	*mean /= n;
	for (o = 0; o < v.outer; o++)
		for (i = 0; i < v.inner; i++) {
			d = element_get(real, x, (o * v.feature + f) * v.inner + i) - *mean;
			*var += d * d;
		}
	*var /= n;
}

/* The distance from |x| to the next number of the type, away from 0. */
static inline double
ulp(enum norm_real real, double x)
{
	unsigned bits;

	x = fabs(x);
	switch (real) {
	case NORM_FLOAT:
		return (double)nextafterf((float)x, INFINITY) - (double)(float)x;
	case NORM_DOUBLE:
		return nextafter(x, INFINITY) - x;
	default:
		bits = reference_bits16(real, x);
		return reference_value16(real, bits + 1) - reference_value16(real, bits);
	}
}

/* The kinds, for tests that hold each against the same loop. */
enum family { FAMILY_BATCH, FAMILY_LAYER, FAMILY_INSTANCE, FAMILY_GROUP, FAMILY_RMS, FAMILIES };

/* A tensor (N, C, S), and into how many groups its channels are cut. */
struct family_shape {
	size_t n, c, s;
	size_t groups;
};

static inline size_t
family_size(struct family_shape f)
{
	return f.n * f.c * f.s;
}

/*
 * How many slices share a mean and a variance, and which of them element `at` belongs to (docs/MATH.md, the table of
 * the kinds).
 */
static inline size_t
family_slices(enum family kind, struct family_shape f)
{
	switch (kind) {
	case FAMILY_BATCH:
		return f.c;
	case FAMILY_INSTANCE:
		return f.n * f.c;
	case FAMILY_GROUP:
		return f.n * f.groups;
	default:
		return f.n;
	}
}

static inline size_t
family_slice(enum family kind, struct family_shape f, size_t at)
{
	const size_t n = at / (f.c * f.s), c = at / f.s % f.c;

	switch (kind) {
	case FAMILY_BATCH:
		return c;
	case FAMILY_INSTANCE:
		return n * f.c + c;
	case FAMILY_GROUP:
		return n * f.groups + c / (f.c / f.groups);
	default:
		return n;
	}
}

/* Whether weight and bias are one per position of a sample, or else one per channel; and which is element at's. */
static inline bool
family_is_shaped(enum family kind)
{
	return kind == FAMILY_LAYER || kind == FAMILY_RMS;
}

static inline size_t
family_parameter(enum family kind, struct family_shape f, size_t at)
{
	return family_is_shaped(kind) ? at % (f.c * f.s) : at / f.s % f.c;
}

/* A slice's mean and biased variance, or 0 and the mean square: equations 1 and 2, or 10, as they stand. */
static inline void
family_moments(
    enum family kind, struct family_shape f, enum norm_real real, const void *x, size_t slice, WIDE *mean, WIDE *var)
{
	WIDE n = 0, d;
	size_t at;

	*mean = *var = 0;
	for (at = 0; at < family_size(f); at++)
		if (family_slice(kind, f, at) == slice) {
			*mean += element_get(real, x, at);
			n++;
		}
	*mean = kind == FAMILY_RMS ? 0 : *mean / n;
	for (at = 0; at < family_size(f); at++)
		if (family_slice(kind, f, at) == slice) {
			d = element_get(real, x, at) - *mean;
			*var += d * d;
		}
	*var /= n;
}
