/* SPDX-License-Identifier: MIT */
/* x86-64 with AVX2: four lanes. */
#include "codec/decimal/block.h"

#if DECIMAL_BLOCK_X86
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif
#define SET decimal_block_avx2
#define SET_NAME "avx2"
#define LANES 4
#include "codec/decimal/block_body.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
