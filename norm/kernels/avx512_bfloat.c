/* SPDX-License-Identifier: MIT */
/* The loops for bfloats, for AVX-512. */
#include "norm/kernels/avx512.h"
#define KERNELS kernels_avx512_bfloat
#include "norm/kernels/real_bfloat.h"
