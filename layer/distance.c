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

static struct distance
measure(double mean_w, double var_w, double mean_t, double var_t)
{
	const struct divergence_terms d = divergence_terms_of(mean_w, var_w, mean_t, var_t);
	const double narrower = fmax(fabs(d.shift_w), fabs(d.shift_t)), wider = sqrt(var_w) / sqrt(var_t);
	const double growth = wider > 2 ? wider - 1 : d.excess_t / (1 + wider);

	return (struct distance){ {
	    [DISTANCE_MEAN_SHIFT] = limited(d.shift_t),
	    [DISTANCE_VARIANCE_RATIO] = limited(var_w / var_t),
	    [DISTANCE_JS] = js_distance(narrower, var_w > var_t ? d.excess_t : -d.excess_w),
	    [DISTANCE_DIVERGENCE] = divergence_of_terms(&d),
	    [DISTANCE_WASSERSTEIN] = limited(hypot(d.shift_t, growth)),
	} };
}

/* A single value, or a sensor that is stuck. The two distributions have nothing in common. */
static struct distance
measure_constant(double mean_w, double mean_t, double var_t)
{
	const double shift = divergence_terms_of(mean_w, 0, mean_t, var_t).shift_t;

	return (struct distance){ {
	    [DISTANCE_MEAN_SHIFT] = limited(shift),
	    [DISTANCE_VARIANCE_RATIO] = 0,
	    [DISTANCE_JS] = 1,
	    [DISTANCE_DIVERGENCE] = NAN,
	    [DISTANCE_WASSERSTEIN] = limited(hypot(shift, 1)),
	} };
}

void
distance_measure(const struct moments *w, const struct moments *t, size_t features, struct distance *out)
{
	static const struct distance none = { { NAN, NAN, NAN, NAN, NAN } };
	const bool counted = w->count > 0 && t->count > 0;

	for (size_t f = 0; f < features; f++)
		if (!counted || !(t->var[f] > 0))
			out[f] = none;
		else if (w->var[f] > 0)
			out[f] = measure(w->mean[f], w->var[f], t->mean[f], t->var[f]);
		else
			out[f] = measure_constant(w->mean[f], t->mean[f], t->var[f]);
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
distance_summarize(
    const struct distance *list, size_t features, double *room, struct distance *max, struct distance *median)
{
	for (enum distance_score s = 0; s < DISTANCE_SCORES; s++) {
		double farthest = NAN;
		size_t n = 0;

		for (size_t f = 0; f < features; f++) {
			const double value = list[f].scores[s];

			if (isnan(value))
				continue;
			if (n == 0 || size_of(s, value) > size_of(s, farthest))
				farthest = value;
			room[n++] = value;
		}
		max->scores[s] = farthest;
		median->scores[s] = n == 0 ? NAN : spread_median(room, n);
	}
}

void
distance_format(struct buf *b, const struct distance *d)
{
	for (enum distance_score s = 0; s < DISTANCE_SCORES; s++) {
		buf_printf(b, "%c\"%s\":", s == 0 ? '{' : ',', names[s]);
		if (isnan(d->scores[s]))
			buf_text(b, "null");
		else
			json_add_double(b, d->scores[s]);
	}
	buf_byte(b, '}');
}
