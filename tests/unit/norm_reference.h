/*
 * What the tests of norm/ share: seeded numbers without libm (so the same everywhere), and the plain reference, one loop a
 * formula, in a type wide enough to be exact beside double.
 */
#ifndef TESTS_UNIT_NORM_REFERENCE_H
#define TESTS_UNIT_NORM_REFERENCE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "norm/view.h"

/*
 * Quadruple precision. long double is a last resort: on x86 it has 11 bits more than double, under valgrind none.
 */
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

static inline size_t
view_size(struct norm_view v)
{
	return v.outer * v.feature * v.inner;
}

/* Element `at` of a tensor of either type. */
static inline double
element_get(enum norm_real real, const void *x, size_t at)
{
	return real == NORM_FLOAT ? (double)((const float *)x)[at] : ((const double *)x)[at];
}

static inline void
element_set(enum norm_real real, void *x, size_t at, double value)
{
	if (real == NORM_FLOAT)
		((float *)x)[at] = (float)value;
	else
		((double *)x)[at] = value;
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
	x = fabs(x);
	if (real == NORM_FLOAT)
		return (double)nextafterf((float)x, INFINITY) - (double)(float)x;
	return nextafter(x, INFINITY) - x;
}

#endif
