/* SPDX-License-Identifier: MIT */
/* Arithmetic on moments, in portable C. */
#include "norm/kernels/portable.h"
#define KERNELS_MERGE kernels_portable_merge
#define KERNELS_RSTD kernels_portable_rstd
#include "norm/kernels/merge_body.h"
