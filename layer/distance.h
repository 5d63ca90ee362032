/* SPDX-License-Identifier: MIT */
/*
 * How far a set of moments is from a reference, feature by feature, both taken as normal distributions: five scores
 * (docs/MATH.md, equations 31 to 35). They say how large a difference is, not how certain, so they do not grow with the
 * number of values.
 *
 * A feature has no scores, which is NAN, where the deviation of the reference is 0; where only the other is 0, it has
 * no divergence, which would be infinite. A score that is beyond doubles is the largest double.
 */
#pragma once

#include "base/buf.h"
#include "norm/update.h"

enum distance_score {
	DISTANCE_MEAN_SHIFT,     /* (31) (mean_w - mean_t) / sigma_t */
	DISTANCE_VARIANCE_RATIO, /* (32) var_w / var_t */
	DISTANCE_JS,             /* (33) Jensen-Shannon distance to base 2, 0 to 1 */
	DISTANCE_DIVERGENCE,     /* (34) symmetric Kullback-Leibler divergence, which PSI estimates */
	DISTANCE_WASSERSTEIN,    /* (35) 2-Wasserstein distance in units of sigma_t */
	DISTANCE_SCORES
};

struct distance {
	double scores[DISTANCE_SCORES];
};

/* The distances of the moments `w` from the reference `t`, of `features` features each, into out[0..features). */
void distance_measure(const struct moments *w, const struct moments *t, size_t features, struct distance *out);

/* One score of feature `f`. The Jensen-Shannon distance takes 1 us, the others a few ns. */
double distance_score(enum distance_score score, const struct moments *w, const struct moments *t, size_t f);

/*
 * Of each score: its value for the feature that is farthest from equality, and its median over the features. For mean
 * shifts, farthest means the largest size (the sign is kept); for variance ratios, the largest size of the logarithm.
 * Features without the score do not count; if no feature has it, the result is NAN. `room`: `features` doubles.
 * Allocates nothing.
 */
void distance_summarize(
    const struct distance *list, size_t features, double *room, struct distance *max, struct distance *median);

/* The same of one score, of `n` features that have it. */
void distance_summarize_score(
    enum distance_score score, const double *values, size_t n, struct distance *max, struct distance *median);

/* Appends the scores as members of a JSON object, "mean_shift":...; null for NAN. */
void distance_format(struct buf *b, const struct distance *d);
