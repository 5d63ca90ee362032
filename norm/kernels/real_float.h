/* SPDX-License-Identifier: MIT */
/* The loops for floats; norm/kernels/real_body.h says what the macros mean. Without a guard, as that. */
#define REAL float
#define BITS uint32_t
#define NAME(name) name##_float
#define PUTS_WIDE true
#define NARROW true
#include "norm/kernels/real_body.h"
