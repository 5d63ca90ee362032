/* SPDX-License-Identifier: MIT */
/* The loops for doubles, for any processor. */
#include "norm/kernels/portable.h"
#define KERNELS kernels_portable_double
#include "norm/kernels/real_double.h"
