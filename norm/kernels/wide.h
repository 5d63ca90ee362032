/* SPDX-License-Identifier: MIT */
/*
 * Vectors of doubles as wide as the registers of the set that is being compiled (KERNELS_WIDTH,
 * norm/kernels/kernels_body.h), and blocks of them. A block has the same number of elements in every set, and each of
 * its lanes a partial sum of its own: the view fixes the order of a sum, the set only how many lanes go at once.
 * Private to norm/.
 *
 * Written out where gcc does not find the vectors by itself, or not all of them. Through memcpy, so that a tensor need
 * lie no better than its elements do.
 */
#ifndef NORM_KERNELS_WIDE_H
#define NORM_KERNELS_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "norm/kernels/element.h"

#define BLOCK ((size_t)16)
#define PARTS (BLOCK / KERNELS_WIDTH)

typedef double wide __attribute__((vector_size(KERNELS_WIDTH * sizeof(double))));
typedef int64_t wide_bits __attribute__((vector_size(KERNELS_WIDTH * sizeof(int64_t))));
typedef uint64_t wide_uint64 __attribute__((vector_size(KERNELS_WIDTH * sizeof(uint64_t))));
typedef float wide_float __attribute__((vector_size(KERNELS_WIDTH * sizeof(float))));
typedef int32_t wide_int32 __attribute__((vector_size(KERNELS_WIDTH * sizeof(int32_t))));
typedef uint32_t wide_uint32 __attribute__((vector_size(KERNELS_WIDTH * sizeof(uint32_t))));
typedef uint16_t wide_uint16 __attribute__((vector_size(KERNELS_WIDTH * sizeof(uint16_t))));

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Where a loop over the parts of a block must become straight code for its vectors to stay in registers. */
#define EACH_PART(k) _Pragma("GCC unroll 8") for (size_t k = 0; k < PARTS; k++)

/*
 * gcc makes a conversion to wide vectors of two halves: a set may name a better instruction, as it may for a fused
 * addition.
 */
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

/* As half_to_double() of norm/kernels/half.h, which says why. */
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

/*
 * For a product that is exact in double: the multiplication rounds nothing, so it does not matter whether it is fused
 * with the addition.
 */
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
 * a + b where multiplications are made: some processors add and convert in one half of their arithmetic and multiply in
 * the other, and the first has more to do. The product by one is a itself, so the sum is rounded as any.
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

#ifndef KERNELS_NARROW
#define KERNELS_NARROW(x) __builtin_convertvector(x, wide_float)
#endif

/*
 * Stores what is rounded to the element type, and notes in `excess` what is not finite: no bit of it is set while all
 * are finite, for x - x is 0, but NaN for what is no number. By "or", for which no loop has to wait. Where vectors are
 * so wide that it need not wait for a sum either, a set may add up x times 0, which is one instruction instead of two.
 */
typedef wide_uint32 wide_excess_float;
typedef wide_uint64 wide_excess_double;
typedef wide_uint16 wide_excess_half;
typedef wide_uint16 wide_excess_bfloat;

/* What is noted with those before. */
static inline wide_excess_float
wide_also_excess(wide_excess_float before, wide_float f)
{
#ifdef KERNELS_FUSED_FLOAT
	return (wide_excess_float)KERNELS_FUSED_FLOAT(f, (wide_float){ 0 }, (wide_float)before);
#else
	wide_float less_itself = f;

	less_itself -= f;
	return before | (wide_excess_float)less_itself;
#endif
}

static inline void
wide_put_float(float *x, wide w, wide_excess_float *excess)
{
	const wide_float f = KERNELS_NARROW(w);

	memcpy(x, &f, sizeof(f));
	*excess = wide_also_excess(*excess, f);
}

static inline void
wide_put_double(double *x, wide w, wide_excess_double *excess)
{
	memcpy(x, &w, sizeof(w));
	w -= w;
	*excess |= (wide_uint64)w;
}

/*
 * One by one: of a loop over elements of 16 bits gcc makes wider vectors by itself, so loops leave these to it
 * (PUTS_WIDE).
 */
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

/* Whether a vector's bytes, which are a multiple of 4, are all 0. */
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

/*
 * Asks for memory that is read soon, into the second-level cache; at most a kilobyte of it, after which the processor
 * has found out by itself what follows. It may lie anywhere.
 */
static inline void
fetch(const void *memory, size_t bytes)
{
	const char *at = memory;
	size_t i;

	for (i = 0; i < bytes && i < 1024; i += 64)
		__builtin_prefetch(at + i, 0, 2);
}

#endif
