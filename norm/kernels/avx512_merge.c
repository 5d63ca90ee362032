/* SPDX-License-Identifier: MIT */
/* The merge of moments, for AVX-512. */
#include "norm/kernels/avx512.h"
#define KERNELS_MERGE kernels_avx512_merge
#include "norm/kernels/merge_body.h"
