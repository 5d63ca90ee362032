/* x86-64 with AVX-512: eight doubles at a time. */
#include "norm/kernels.h"

#if KERNELS_X86
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl")
#endif
#define KERNELS kernels_avx512
#define KERNELS_NAME "avx512"
#include "norm/kernels_body.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
