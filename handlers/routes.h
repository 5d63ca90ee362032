/* SPDX-License-Identifier: MIT */
/* The table of routes, and how a path finds its row. */
#ifndef HANDLERS_ROUTES_H
#define HANDLERS_ROUTES_H

#include "handlers/request.h"

/*
 * Finds what `method` on `path` means. `path` is made of `count` segments, already percent-decoded.
 * Sets rq->route, rq->model and rq->layer. Errors: no_such_route, method_not_allowed (then `allow` holds the methods
 * that there are, for the Allow header), bad_name. OPTIONS is found on every route, and `allow` is filled.
 */
int routes_find(struct request *rq, const char *method, const char *const *segments, size_t count, struct buf *allow,
    struct err *e) MUST_CHECK;

/* The same of the target "*", which stands for the whole server: OPTIONS alone, else bad_parameter. */
int routes_find_any(struct request *rq, const char *method, struct buf *allow, struct err *e) MUST_CHECK;

/* All methods that any route has. */
#define ROUTES_METHODS "GET, HEAD, POST, PUT, DELETE, OPTIONS"

/* The rows, for those who go through them all. */
extern const struct route routes[];
extern const size_t routes_count;

#endif
