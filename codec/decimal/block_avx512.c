/* SPDX-License-Identifier: MIT */
/* x86-64 with AVX-512: eight lanes. */
#include "codec/decimal/block.h"

#if DECIMAL_BLOCK_X86
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl")
#endif
#define SET decimal_block_avx512
#define SET_NAME "avx512"
#define LANES 8
#include "codec/decimal/block_body.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
