/* SPDX-License-Identifier: MIT */
/*
 * Vectors of KERNELS_WIDTH doubles, as wide as the set's registers, and blocks of them. A block has the same number of
 * lanes in every set, each with a partial sum of its own: the view fixes the order of a sum, the set only how many
 * lanes are added at once. Loads and stores go through memcpy, so that a tensor needs no more than the alignment of its
 * elements. Private to norm/.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "norm/kernels/element.h"

#define BLOCK ((size_t)16)
#define VECTORS (BLOCK / KERNELS_WIDTH)

typedef double wide __attribute__((vector_size(KERNELS_WIDTH * sizeof(double))));
typedef int64_t wide_bits __attribute__((vector_size(KERNELS_WIDTH * sizeof(int64_t))));
typedef uint64_t wide_uint64 __attribute__((vector_size(KERNELS_WIDTH * sizeof(uint64_t))));
typedef float wide_float __attribute__((vector_size(KERNELS_WIDTH * sizeof(float))));
typedef int32_t wide_int32 __attribute__((vector_size(KERNELS_WIDTH * sizeof(int32_t))));
typedef uint32_t wide_uint32 __attribute__((vector_size(KERNELS_WIDTH * sizeof(uint32_t))));
typedef uint16_t wide_uint16 __attribute__((vector_size(KERNELS_WIDTH * sizeof(uint16_t))));

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* A loop over the vectors of a block, unrolled so that they stay in registers. */
#define EACH_VECTOR(k) _Pragma("GCC unroll 8") for (size_t k = 0; k < VECTORS; k++)

/* gcc converts to wide vectors in two halves; a set may name a better instruction. */
#ifndef KERNELS_WIDEN
#define KERNELS_WIDEN(x) __builtin_convertvector(x, wide)
#endif

static inline wide
wide_load_double(const double *x)
{
	wide w;

	memcpy(&w, x, sizeof(w));
	return w;
}

static inline wide
wide_load_float(const float *x)
{
	wide_float f;

	memcpy(&f, x, sizeof(f));
	return KERNELS_WIDEN(f);
}

static inline wide
wide_load_bfloat(const uint16_t *x)
{
	wide_uint16 bits;

	memcpy(&bits, x, sizeof(bits));
	return KERNELS_WIDEN((wide_float)(__builtin_convertvector(bits, wide_uint32) << 16));
}

/* As load_half() in base/float16.h, which explains it. */
static inline wide
wide_load_half(const uint16_t *x)
{
	const int32_t one = 1 << 23;
	wide_uint16 bits;
	wide_int32 half, rest, infinite, subnormal;
	wide_float magnitude;

	memcpy(&bits, x, sizeof(bits));
	half = __builtin_convertvector(bits, wide_int32);
	rest = (half & 0x7fff) << 13;
	infinite = rest >= 0x7c00 << 13;
	subnormal = rest < 0x0400 << 13;
	magnitude = (wide_float)(rest + 112 * one + (infinite & 112 * one) + (subnormal & one)) -
	    (wide_float)(subnormal & 113 * one);
	return KERNELS_WIDEN((wide_float)((wide_int32)magnitude | (wide_int32)((wide_uint32)(half & 0x8000) << 16)));
}

static inline void
wide_store(double *x, wide w)
{
	memcpy(x, &w, sizeof(w));
}

/* sum + a * b for a product that is exact in double: fusing it with the addition changes no bit. */
static inline wide
wide_add_exact_product(wide sum, wide a, wide b)
{
#ifdef KERNELS_FUSED
	return KERNELS_FUSED(a, b, sum);
#else
	return sum + a * b;
#endif
}

/*
 * a + b on the multiplication units: some processors have other units for additions and conversions, which these loops
 * keep busy. a * 1 is a, so the sum is rounded as usual.
 */
static inline wide
wide_plus(wide a, wide b)
{
#ifdef KERNELS_FUSED
	return KERNELS_FUSED(a, (wide){ 0 } + 1, b);
#else
	return a + b;
#endif
}

static inline wide
wide_masked(wide w, wide_bits mask)
{
	return (wide)((wide_bits)w & mask);
}

static inline wide
wide_magnitude(wide w)
{
	return wide_masked(w, (wide_bits){ 0 } + INT64_MAX);
}

#ifndef KERNELS_NARROW
#define KERNELS_NARROW(x) __builtin_convertvector(x, wide_float)
#endif

/*
 * wide_put_ rounds a vector to the element type, stores it, and sets bits in `excess` if an element is not finite: x -
 * x is 0 for finite x, else NaN. The bits are collected by "or", for which no loop has to wait. A set with vectors so
 * wide that no loop waits for a sum either may add up x * 0, in one instruction.
 */
typedef wide_uint32 wide_excess_float;
typedef wide_uint64 wide_excess_double;
typedef wide_uint16 wide_excess_half;
typedef wide_uint16 wide_excess_bfloat;

static inline void
wide_put_float(float *x, wide w, wide_excess_float *excess)
{
	wide_float f = KERNELS_NARROW(w);

	memcpy(x, &f, sizeof(f));
#ifdef KERNELS_FUSED_FLOAT
	*excess = (wide_excess_float)KERNELS_FUSED_FLOAT(f, (wide_float){ 0 }, (wide_float)*excess);
#else
	f -= f;
	*excess |= (wide_excess_float)f;
#endif
}

static inline void
wide_put_double(double *x, wide w, wide_excess_double *excess)
{
	memcpy(x, &w, sizeof(w));
	w -= w;
	*excess |= (wide_uint64)w;
}

/* One by one. Loops do not use these (PUTS_WIDE is false): gcc makes wider vectors of a loop over 16-bit elements. */
static inline void
wide_put_half(uint16_t *x, wide w, wide_excess_half *excess)
{
	for (size_t k = 0; k < KERNELS_WIDTH; k++) {
		x[k] = store_half(w[k]);
		(*excess)[k] |= excess_half(x[k]);
	}
}

static inline void
wide_put_bfloat(uint16_t *x, wide w, wide_excess_bfloat *excess)
{
	for (size_t k = 0; k < KERNELS_WIDTH; k++) {
		x[k] = store_bfloat(w[k]);
		(*excess)[k] |= excess_bfloat(x[k]);
	}
}

/* Whether all bytes of a vector, a multiple of 4, are 0. */
static inline bool
wide_is_zero(const void *vector, size_t bytes)
{
	const unsigned char *at = vector;
	uint32_t any = 0, part;
	size_t i;

	for (i = 0; i < bytes; i += sizeof(part)) {
		memcpy(&part, at + i, sizeof(part));
		any |= part;
	}
	return any == 0;
}

/* Prefetches at most a kilobyte, after which the processor predicts the rest. Any address is allowed. */
static inline void
fetch(const void *memory, size_t bytes)
{
	const char *at = memory;
	size_t i;

	for (i = 0; i < bytes && i < 1024; i += 64)
		__builtin_prefetch(at + i, 0, 2);
}
