/* SPDX-License-Identifier: MIT */
/* Whole numbers from JSON text, exactly. Private to codec/. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Reads a JSON number of valid grammar: "3", "3.0", "3e2", "10e-1". -1: it is not whole, or exceeds 64 bits. */
int json_integer_parse(const char *text, size_t len, bool *negative, uint64_t *magnitude) MUST_CHECK;
