/* SPDX-License-Identifier: MIT */
/* Elements of any type as doubles. */
#pragma once

#include "norm/view.h"

/* out[i] = x[i] for `n` elements of type `real`: exact. The arrays must not overlap. */
void norm_widen(enum norm_real real, const void *x, size_t n, double *out);
