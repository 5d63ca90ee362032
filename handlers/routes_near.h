/* SPDX-License-Identifier: MIT */
/* What a path that no route has might have meant, for the message. */
#ifndef HANDLERS_ROUTES_NEAR_H
#define HANDLERS_ROUTES_NEAR_H

#include <stddef.h>

#include "base/suggest.h"

/*
 * Looks at the routes' paths that differ from the `count` segments in one word alone, and takes the nearest word: the
 * end of a message, `; did you mean "train"?`, or "" when none is near. Returns `out`.
 */
const char *routes_near(const char *const *segments, size_t count, char out[SUGGEST_BYTES]);

#endif
