/* SPDX-License-Identifier: MIT */
/* Whether numbers are finite, or small enough. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether all of `n` numbers are. */
bool finite_all(const double *x, size_t n);

/* Whether the magnitudes of all of `n` numbers are below 2^power, -1022 <= power <= 1024; a NaN's is not. */
bool finite_below(const double *x, size_t n, int power);
