/* SPDX-License-Identifier: MIT */
/* The loops for doubles, for AVX-512. */
#include "norm/kernels/avx512.h"
#define KERNELS kernels_avx512_double
#include "norm/kernels/real_double.h"
