/* SPDX-License-Identifier: MIT */
/* The merge of moments, for AVX2. */
#include "norm/kernels/avx2.h"
#define KERNELS_MERGE kernels_avx2_merge
#include "norm/kernels/merge_body.h"
