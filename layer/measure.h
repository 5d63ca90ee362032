/* SPDX-License-Identifier: MIT */
/* The moments of a piece of a call's tensor, and what they must be to normalize by. */
#pragma once

#include "layer/call.h"

/*
 * The moments of each channel of a piece that is not empty, into `room` (2 doubles for each channel).
 * non_finite_input where there is a NaN, an infinity or an overflow.
 */
int measure_moments(
    const struct call *c, const struct piece *p, double *room, struct moments *out, struct err *e) MUST_CHECK;

/* The same of each sample's channels: `mean` and `var` have view.outer * view.feature doubles. */
int measure_instances(const struct call *c, const struct piece *p, double *mean, double *var, struct err *e) MUST_CHECK;

/*
 * The running statistics as moments, for which `count` is 0; not_trained. The mean is 0 where the definition leaves it
 * out (docs/MATH.md, equation 28).
 */
int measure_running(const struct call *c, struct moments *out, struct err *e) MUST_CHECK;

/* not_trained where the layer has no running statistics. */
int measure_check_trained(const struct call *c, const struct statistics *s, struct err *e) MUST_CHECK;

/* The same of the statistics `s`, which have the view's channels: copies them into `room`, means before variances. */
int measure_copy_running(const struct call *c, const struct statistics *s, double *room, struct err *e) MUST_CHECK;

/* too_few_values if all positions of a tensor are padding. Not for shards, which may be all padding. */
int measure_check_counted(const struct call *c, struct err *e) MUST_CHECK;

/* non_finite_input unless the moments of all channels are finite. */
int measure_check_finite(const struct moments *m, size_t features, struct err *e) MUST_CHECK;

/* too_few_values unless `count` values a channel have a variance. */
int measure_check_count(uint64_t count, struct err *e) MUST_CHECK;

/*
 * The same in training. One value a channel is enough if the layer can merge it, and needs the batch's variance for no
 * output: without `output`, or where the definition normalizes by the running statistics.
 */
int measure_check_update(const struct definition *d, uint64_t count, bool output, struct err *e) MUST_CHECK;

/* Whether a running deviation, given by its variance, is below the definition's min_std (equation 28). */
bool measure_is_narrow(const struct definition *d, double var);

/*
 * The factor of each channel: 1 / sqrt(var + eps), or 1 for a narrow channel of running statistics (m->count is 0).
 * `rstd`: `features` doubles.
 */
void measure_rstd(const struct definition *d, const struct moments *m, size_t features, double *rstd);

/* non_finite_input for a channel with an infinite rstd: its variance is 0, and so is eps. */
int measure_check_rstd(const double *rstd, size_t features, struct err *e) MUST_CHECK;

/*
 * PyTorch's checks of a tensor that is not empty, for every kind but batch_norm: an instance must have two values; of
 * groups only the whole batch must have more than one value each. too_few_values.
 */
int measure_check_samples(const struct definition *d, struct norm_view view, struct err *e) MUST_CHECK;
