/* x86-64 with AVX2: four doubles at a time. */
#include "norm/kernels.h"

#if KERNELS_X86
#include <immintrin.h>
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define KERNELS kernels_avx2
#define KERNELS_NAME "avx2"
#define KERNELS_WIDTH 4
#define KERNELS_WIDEN(x) _mm256_cvtps_pd(x)
#define KERNELS_NARROW(x) _mm256_cvtpd_ps(x)
#define KERNELS_FUSED(a, b, c) _mm256_fmadd_pd(a, b, c)
#include "norm/kernels_body.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
