/* SPDX-License-Identifier: MIT */
/* The loops for halves, for any processor. */
#include "norm/kernels/portable.h"
#define KERNELS kernels_portable_half
#include "norm/kernels/real_half.h"
