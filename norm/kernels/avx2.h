/* SPDX-License-Identifier: MIT */
/*
 * x86-64 with AVX2: four doubles at a time, in functions between this header and KERNELS_END.
 * Nothing for other processors. Private to norm/.
 */
#pragma once

#include "norm/kernels/kernels.h"

#if KERNELS_X86
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define KERNELS_END _Pragma("clang attribute pop")
#else
#pragma GCC target("avx2,fma")
#define KERNELS_END
#endif

#define KERNELS_WIDTH 4
#define KERNELS_WIDEN(x) _mm256_cvtps_pd(x)
#define KERNELS_NARROW(x) _mm256_cvtpd_ps(x)
#define KERNELS_FUSED(a, b, c) _mm256_fmadd_pd(a, b, c)
#endif
