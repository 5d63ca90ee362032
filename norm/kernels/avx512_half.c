/* SPDX-License-Identifier: MIT */
/* The loops for halves, for AVX-512. */
#include "norm/kernels/avx512.h"
#define KERNELS kernels_avx512_half
#include "norm/kernels/real_half.h"
