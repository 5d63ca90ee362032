/* SPDX-License-Identifier: MIT */
/* `seed` in a body or the query: of the shuffle. */
#ifndef HANDLERS_SEED_OPTIONS_H
#define HANDLERS_SEED_OPTIONS_H

#include "handlers/request.h"

/* Reads it into *seed; *given tells whether it is there. bad_parameter for a layer that does not shuffle. */
int seed_options_get(
    const struct request *rq, const struct cJSON *body, uint64_t *seed, bool *given, struct err *e) MUST_CHECK;

#endif
