/* SPDX-License-Identifier: MIT */
/*
 * Normalizing a piece of a call's tensor in place. non_finite_input where a result does not fit the datatype; the piece
 * is then undefined. Functions that use c->scratch need as many doubles there as they say, for each channel.
 */
#pragma once

#include "layer/call.h"
#include "norm/renorm.h"

/* By moments of each channel. Scratch: 1. */
int forward_by_moments(const struct call *c, const struct piece *p, const struct moments *m, struct scale_shift by,
    struct err *e) MUST_CHECK;

/*
 * By the call's parameters, and measures what the piece held before (c->observed), in one reading. `p` is all of the
 * call's tensor, in place. Scratch: forward_observe_scratch doubles of the call's view, which hold what was measured.
 */
size_t forward_observe_scratch(struct norm_view view);
int forward_observe(struct call *c, const struct piece *p, const struct moments *m, struct err *e) MUST_CHECK;

/*
 * By the piece's own moments, which are measured into `room` (2 doubles for each channel): measure_moments and
 * forward_by_moments in less time than one after the other. Scratch: 1.
 */
int
forward_batch(const struct call *c, const struct piece *p, double *room, struct moments *out, struct err *e) MUST_CHECK;

/* Settings and running statistics for Batch Renormalization. */
struct renorm forward_renorm(const struct call *c);

/* Each sample's channels by their own `mean` and `rstd`. */
int forward_by_instances(
    const struct call *c, const struct piece *p, const double *mean, const double *rstd, struct err *e) MUST_CHECK;

/* Each sample, group or row by its own moments: every kind but batch_norm. */
int forward_by_sample(const struct call *c, const struct piece *p, struct err *e) MUST_CHECK;

/* The inverse of forward_by_moments, by the call's parameters. Scratch: 3. */
int forward_inverse(const struct call *c, const struct piece *p, const struct moments *m, struct err *e) MUST_CHECK;

/* Clips what the pieces have become, and puts it back into the call's tensor. */
void forward_finish(struct call *c);

/*
 * Whether forward_by_moments, with moments that were measured of the values themselves, cannot fail: then the output
 * may follow after the update was submitted. `limit` is the largest number of the narrowest datatype.
 */
bool forward_surely_finite(const struct call *c, const struct moments *m, double limit, struct scale_shift by);

/*
 * Refuses the output of a whole batch of which that does not hold, by the rstd in c->scratch: a channel is constant and
 * eps is 0, or a value might not fit. Returns -1.
 */
int forward_refuse_whole(const struct call *c, struct err *e) MUST_CHECK;

/* The definition's eps for the call's tensor. */
double forward_eps(const struct call *c);

/* Whether all of a piece's values are finite. */
bool forward_is_finite(const struct piece *p);

/* Where a piece has its first value that is not finite: "channel 3", "row 5 (...)". Returns `out`. */
#define FORWARD_WHERE_BYTES 80
const char *forward_where(const struct call *c, const struct piece *p, char out[FORWARD_WHERE_BYTES]);
