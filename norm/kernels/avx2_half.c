/* SPDX-License-Identifier: MIT */
/* The loops for halves, for AVX2. */
#include "norm/kernels/avx2.h"
#define KERNELS kernels_avx2_half
#include "norm/kernels/real_half.h"
