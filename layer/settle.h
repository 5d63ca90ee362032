/* SPDX-License-Identifier: MIT */
/*
 * Training that normalizes by the running statistics uses the state that its own updates lead to, which is known only
 * when they are applied. The call then takes a copy of it, in memory that it has from before.
 */
#pragma once

#include "layer/call.h"

/* The memory for the state. */
int settle_init(struct call *c, struct err *e) MUST_CHECK;

/*
 * Takes the state: c->running, whose rstd are in c->scratch, and c->parameters. *sure: the values that the updates were
 * measured of, normalized by it, are below `limit`. not_trained; shape_mismatch.
 */
int settle_take(struct call *c, const struct statistics *after, struct scale_shift parameters, double limit, bool *sure,
    struct err *e) MUST_CHECK;

/* Takes the state that the updates lead to from a layer's initial statistics, with the call's own parameters. */
int settle_first(struct call *c, struct err *e) MUST_CHECK;
