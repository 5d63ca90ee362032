/* SPDX-License-Identifier: MIT */
/* The loops for floats; norm/kernels/real_body.h explains the macros. No guard. */
#define REAL float
#define BITS uint32_t
#define NAME(name) name##_float
#define PUTS_WIDE true
#define NARROW true
#include "norm/kernels/real_body.h"
