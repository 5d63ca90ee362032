/* SPDX-License-Identifier: MIT */
/* The set for AVX-512. */
#include "norm/kernels/kernels.h"

#if KERNELS_X86
#include "norm/kernels/avx512.h"
#include "norm/kernels/set.h"

KERNELS_SET(kernels_avx512, "avx512")

KERNELS_END
#endif
