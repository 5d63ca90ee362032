/* SPDX-License-Identifier: MIT */
/* The merge of moments, in portable C. */
#include "norm/kernels/portable.h"
#define KERNELS_MERGE kernels_portable_merge
#include "norm/kernels/merge_body.h"
