/* SPDX-License-Identifier: MIT */
/* The option `seed`: how the samples of a batch are shuffled. */
#ifndef HANDLERS_SEED_OPTIONS_H
#define HANDLERS_SEED_OPTIONS_H

#include "handlers/option.h"

extern const struct input seed_input;

/* Reads it into *seed; *given tells whether it is there. bad_parameter for a layer that does not shuffle. */
int seed_options_get(const struct request *rq, uint64_t *seed, bool *given, struct err *e) MUST_CHECK;

#endif
