/* SPDX-License-Identifier: MIT */
/* The loops for bfloats, for AVX2. */
#include "norm/kernels/avx2.h"
#define KERNELS kernels_avx2_bfloat
#include "norm/kernels/real_bfloat.h"
