/* SPDX-License-Identifier: MIT */
/* What every unit test needs: Check, and the one function that a test file gives. */
#pragma once

#include <check.h>

/* The file's tests. */
Suite *unit_suite(void);
