/* SPDX-License-Identifier: MIT */
/* The descriptors 0, 1 and 2, which a careless parent may have closed. */
#pragma once

#include "base/compiler.h"

/*
 * Opens those that are closed, so that no file or socket of normd gets their numbers and is then written to as standard
 * output or as the log. What goes to a closed standard error is lost; writing to a closed standard output still fails.
 * Call it first. -1: /dev/null cannot be opened.
 */
int standard_streams_open(void) MUST_CHECK;
