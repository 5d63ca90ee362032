/* SPDX-License-Identifier: MIT */
/* Whether numbers are finite. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether all of `n` numbers are. */
bool finite_all(const double *x, size_t n);
