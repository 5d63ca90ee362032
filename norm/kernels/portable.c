/* SPDX-License-Identifier: MIT */
/* The set for any processor. */
#include "norm/kernels/portable.h"
#include "norm/kernels/set.h"

KERNELS_SET(kernels_portable, "portable")

KERNELS_END
