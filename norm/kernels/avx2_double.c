/* SPDX-License-Identifier: MIT */
/* The loops for doubles, for AVX2. */
#include "norm/kernels/avx2.h"
#define KERNELS kernels_avx2_double
#include "norm/kernels/real_double.h"
