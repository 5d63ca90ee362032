/* SPDX-License-Identifier: MIT */
/* The loops for halves; norm/kernels/real_body.h explains the macros. No guard. */
#define REAL uint16_t
#define BITS uint16_t
#define NAME(name) name##_half
#define PUTS_WIDE false
#define NARROW true
#include "norm/kernels/real_body.h"
