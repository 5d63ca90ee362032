/* SPDX-License-Identifier: MIT */
/*
 * Training that normalizes by the running statistics uses the state that its own updates lead to, which is known only
 * when they are applied. The call then takes a copy of it, in memory that it has from before. The shards of one batch
 * share a copy.
 */
#pragma once

#include "layer/call.h"

/* The memory for the state: c->state. */
int settle_init(struct call *c, struct err *e) MUST_CHECK;

/*
 * Copies the state to c->state and uses it; the rstd are in c->scratch. *sure: the values of which the updates were
 * measured are below c->limit when they are normalized by it. not_trained; shape_mismatch.
 */
int settle_take(struct call *c, const struct statistics *after, struct scale_shift parameters, bool *sure,
    struct err *e) MUST_CHECK;

/*
 * Before the updates are submitted, because the store's thread should not spend time on a large tensor: foresees the
 * state from the present one. If a large output might not fit by it, measures c->extremes, which decide that in little
 * time.
 */
int settle_foresee(struct call *c, struct err *e) MUST_CHECK;

/* Makes the call normalize by a state that settle_take has copied: c->running and c->parameters. */
void settle_use(struct call *c, const double *state);

/* Refuses the output of a whole batch: its variance is 0, or a value might not fit. Returns -1. */
int settle_refuse_whole(struct call *c, struct err *e) MUST_CHECK;

/* Takes the state that the updates lead to from a layer's initial statistics, with the call's own parameters. */
int settle_first(struct call *c, struct err *e) MUST_CHECK;
