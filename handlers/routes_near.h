/* What a path that no route has might have meant, for the message. */
#ifndef HANDLERS_ROUTES_NEAR_H
#define HANDLERS_ROUTES_NEAR_H

#include <stddef.h>

#include "base/suggest.h"

/*
 * Of the paths that differ from `segments`, which are `count`, in one word alone, the one whose word is nearest: the end of a message,
 * `; did you mean "train"?`, or "" when none is near. Returns `out`.
 */
const char *routes_near(const char *const *segments, size_t count, char out[SUGGEST_BYTES]);

#endif
