/* SPDX-License-Identifier: MIT */
/* Comparing secrets: how long it takes tells nothing of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether two texts of `len` bytes are equal, in a time that depends on `len` alone. */
bool secret_equal(const void *a, const void *b, size_t len);
