/* SPDX-License-Identifier: MIT */
/* The loops for doubles; norm/kernels/real_body.h explains the macros. No guard. */
#define REAL double
#define BITS uint64_t
#define NAME(name) name##_double
#define PUTS_WIDE true
#define NARROW false
#include "norm/kernels/real_body.h"
