/* SPDX-License-Identifier: MIT */
/* What every unit test needs: Check, and the one function that a test file gives. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <check.h>

/* The file's tests. */
Suite *unit_suite(void);

#endif
