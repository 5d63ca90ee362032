/* SPDX-License-Identifier: MIT */
/* The set for any processor. */
#include "norm/kernels/portable.h"
#include "norm/kernels/kernels_table.h"

KERNELS_TABLE(kernels_portable, "portable")

KERNELS_END
