/* SPDX-License-Identifier: MIT */
/* The loops for floats, for any processor. */
#include "norm/kernels/portable.h"
#define KERNELS kernels_portable_float
#include "norm/kernels/real_float.h"
