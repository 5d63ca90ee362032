/* SPDX-License-Identifier: MIT */
/*
 * Training that normalizes by the running statistics uses the state that its own updates lead to. That state is known
 * only when the updates are applied. The call then copies it to c->state, which was allocated before. The ranks of a
 * synchronized step share one copy.
 */
#pragma once

#include "layer/call.h"

/*
 * Copies the statistics `after` the updates, and the parameters, to c->state, and normalizes by them from then on: sets
 * c->running and c->parameters, and c->scratch to the channels' rstd. *sure: no value that the updates were measured of
 * can exceed c->limit when it is normalized. Allocates nothing. Errors: not_trained; shape_mismatch.
 */
int next_state_take(struct call *c, const struct statistics *after, struct scale_shift parameters, bool *sure,
    struct err *e) MUST_CHECK;

/*
 * The same of the state that the updates lead to from the call's own statistics (the initial ones if it has none), as
 * if no other change came before. Error also: non_finite_input, for statistics that would overflow.
 */
int next_state_predict(struct call *c, bool *sure, struct err *e) MUST_CHECK;

/* Makes the call normalize by a copy that next_state_take has filled: sets c->running and c->parameters. */
void next_state_use(struct call *c, const double *state);
