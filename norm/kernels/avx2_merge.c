/* SPDX-License-Identifier: MIT */
/* Arithmetic on moments, for AVX2. */
#include "norm/kernels/avx2.h"
#define KERNELS_MERGE kernels_avx2_merge
#define KERNELS_RSTD kernels_avx2_rstd
#include "norm/kernels/merge_body.h"
