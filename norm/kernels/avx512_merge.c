/* SPDX-License-Identifier: MIT */
/* Arithmetic on moments, for AVX-512. */
#include "norm/kernels/avx512.h"
#define KERNELS_MERGE kernels_avx512_merge
#define KERNELS_RSTD kernels_avx512_rstd
#include "norm/kernels/merge_body.h"
