/* SPDX-License-Identifier: MIT */
/* The loops for bfloats, for any processor. */
#include "norm/kernels/portable.h"
#define KERNELS kernels_portable_bfloat
#include "norm/kernels/real_bfloat.h"
