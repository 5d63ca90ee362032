/* SPDX-License-Identifier: MIT */
#include "layer/distance.h"

#include <float.h>
#include <math.h>

#include "codec/json_write.h"
#include "layer/js_distance.h"
#include "norm/divergence.h"
#include "norm/spread.h"

static const char *const names[DISTANCE_SCORES] = { "mean_shift", "variance_ratio", "js_distance", "divergence",
	"wasserstein" };

/* A double for a result that may be beyond doubles. */
static double
limited(double x)
{
	return x > DBL_MAX ? DBL_MAX : x < -DBL_MAX ? -DBL_MAX : x;
}

static double
score_of(enum distance_score score, const struct divergence_terms *d, double var_w, double var_t)
{
	const double wider = sqrt(var_w) / sqrt(var_t);

	switch (score) {
	case DISTANCE_MEAN_SHIFT:
		return limited(d->shift_t);
	case DISTANCE_VARIANCE_RATIO:
		return limited(var_w / var_t);
	case DISTANCE_JS:
		return js_distance(
		    fmax(fabs(d->shift_w), fabs(d->shift_t)), var_w > var_t ? d->excess_t : -d->excess_w);
	case DISTANCE_DIVERGENCE:
		return divergence_of_terms(d);
	case DISTANCE_WASSERSTEIN:
		return limited(hypot(d->shift_t, wider > 2 ? wider - 1 : d->excess_t / (1 + wider)));
	case DISTANCE_SCORES:
		break;
	}
	return NAN;
}

/* Where only the reference has a deviation: a single value, or a sensor that is stuck. Nothing is in common. */
static double
score_of_constant(enum distance_score score, double shift)
{
	const double scores[DISTANCE_SCORES] = {
		[DISTANCE_MEAN_SHIFT] = limited(shift),
		[DISTANCE_VARIANCE_RATIO] = 0,
		[DISTANCE_JS] = 1,
		[DISTANCE_DIVERGENCE] = NAN,
		[DISTANCE_WASSERSTEIN] = limited(hypot(shift, 1)),
	};

	return scores[score];
}

static bool
has_scores(const struct moments *w, const struct moments *t, size_t f)
{
	return w->count > 0 && t->count > 0 && t->var[f] > 0;
}

/* What the scores of a feature are made of. Without a deviation of w, only what concerns t means anything. */
static struct divergence_terms
terms_of(const struct moments *w, const struct moments *t, size_t f)
{
	return divergence_terms_of(w->mean[f], w->var[f] > 0 ? w->var[f] : t->var[f], t->mean[f], t->var[f]);
}

static double
score_by(enum distance_score score, const struct divergence_terms *d, double var_w, double var_t)
{
	return var_w > 0 ? score_of(score, d, var_w, var_t) : score_of_constant(score, d->shift_t);
}

double
distance_score(enum distance_score score, const struct moments *w, const struct moments *t, size_t f)
{
	struct divergence_terms d;

	if (!has_scores(w, t, f))
		return NAN;
	d = terms_of(w, t, f);
	return score_by(score, &d, w->var[f], t->var[f]);
}

void
distance_measure(const struct moments *w, const struct moments *t, size_t features, struct distance *out)
{
	static const struct distance none = { { NAN, NAN, NAN, NAN, NAN } };

	for (size_t f = 0; f < features; f++) {
		struct divergence_terms d;

		out[f] = none;
		if (!has_scores(w, t, f))
			continue;
		d = terms_of(w, t, f);
		for (enum distance_score s = 0; s < DISTANCE_SCORES; s++)
			out[f].scores[s] = score_by(s, &d, w->var[f], t->var[f]);
	}
}

/* How far a score is from that of equal distributions; only the order matters. */
static double
size_of(enum distance_score score, double value)
{
	if (score != DISTANCE_VARIANCE_RATIO)
		return fabs(value);
	return value < 1 ? 1 / value : value;
}

void
distance_summarize_score(
    enum distance_score score, const double *values, size_t n, struct distance *max, struct distance *median)
{
	double farthest = n > 0 ? values[0] : NAN;

	for (size_t i = 1; i < n; i++)
		if (size_of(score, values[i]) > size_of(score, farthest))
			farthest = values[i];
	max->scores[score] = farthest;
	median->scores[score] = n > 0 ? spread_median(values, n) : NAN;
}

void
distance_summarize(
    const struct distance *list, size_t features, double *room, struct distance *max, struct distance *median)
{
	for (enum distance_score s = 0; s < DISTANCE_SCORES; s++) {
		size_t n = 0;

		for (size_t f = 0; f < features; f++)
			if (!isnan(list[f].scores[s]))
				room[n++] = list[f].scores[s];
		distance_summarize_score(s, room, n, max, median);
	}
}

void
distance_format(struct buf *b, const struct distance *d)
{
	for (enum distance_score s = 0; s < DISTANCE_SCORES; s++) {
		buf_printf(b, "%s\"%s\":", s == 0 ? "" : ",", names[s]);
		if (isnan(d->scores[s]))
			buf_text(b, "null");
		else
			json_add_double(b, d->scores[s]);
	}
}
