/* SPDX-License-Identifier: MIT */
/*
 * x86-64 with AVX-512: eight doubles at a time, in functions between this header and KERNELS_END.
 * Nothing for other processors. Private to norm/.
 */
#pragma once

#include "norm/kernels/kernels.h"

#if KERNELS_X86
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma"))), apply_to = function)
#define KERNELS_END _Pragma("clang attribute pop")
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,fma")
#define KERNELS_END
#endif

#define KERNELS_WIDTH 8
#define KERNELS_WIDEN(x) _mm512_cvtps_pd(x)
#define KERNELS_NARROW(x) _mm512_cvtpd_ps(x)
#define KERNELS_FUSED_FLOAT(a, b, c) ((wide_float)_mm256_fmadd_ps(a, b, c))
#define KERNELS_FUSED(a, b, c) _mm512_fmadd_pd(a, b, c)
#endif
