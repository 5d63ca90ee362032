/* SPDX-License-Identifier: MIT */
/* The loops for floats, for AVX-512. */
#include "norm/kernels/avx512.h"
#define KERNELS kernels_avx512_float
#include "norm/kernels/real_float.h"
