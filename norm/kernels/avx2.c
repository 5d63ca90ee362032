/* SPDX-License-Identifier: MIT */
/* The set for AVX2. */
#include "norm/kernels/kernels.h"

#if KERNELS_X86
#include "norm/kernels/avx2.h"
#include "norm/kernels/set.h"

KERNELS_SET(kernels_avx2, "avx2")

KERNELS_END
#endif
