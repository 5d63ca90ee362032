/* x86-64 with AVX-512: eight doubles at a time. */
#include "norm/kernels.h"

#if KERNELS_X86
#include <immintrin.h>
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,fma")
#endif
#define KERNELS kernels_avx512
#define KERNELS_NAME "avx512"
#define KERNELS_WIDTH 8
#define KERNELS_WIDEN(x) _mm512_cvtps_pd(x)
#define KERNELS_NARROW(x) _mm512_cvtpd_ps(x)
#define KERNELS_FUSED_FLOAT(a, b, c) ((wide_float)_mm256_fmadd_ps(a, b, c))
#define KERNELS_FUSED(a, b, c) _mm512_fmadd_pd(a, b, c)
#include "norm/kernels_body.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
