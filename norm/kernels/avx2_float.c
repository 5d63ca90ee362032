/* SPDX-License-Identifier: MIT */
/* The loops for floats, for AVX2. */
#include "norm/kernels/avx2.h"
#define KERNELS kernels_avx2_float
#include "norm/kernels/real_float.h"
