/* SPDX-License-Identifier: MIT */
/* Suggestions for a path that no route has. */
#ifndef HANDLERS_ROUTES_NEAR_H
#define HANDLERS_ROUTES_NEAR_H

#include <stddef.h>

#include "base/suggest.h"

/*
 * Compares the `count` segments with the paths that differ from them in one word alone. Returns `out`: the end of a
 * message with the nearest word, `; did you mean "train"?`, or "" if no word is near.
 */
const char *routes_near(const char *const *segments, size_t count, char out[SUGGEST_BYTES]);

#endif
