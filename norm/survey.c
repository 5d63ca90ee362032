/* SPDX-License-Identifier: MIT */
/*
 * The operation that looks at values of which some may be NaN or infinite (norm/pass.h). It reads them twice, because
 * the mean must be known before deviations from it are added up (docs/MATH.md, equation 2). Every addition keeps its
 * rounding error, so that sums are as exact for ten million values as for ten. One portable loop is fast enough: it is
 * for a look at data, not for every request.
 */
#include <math.h>

#include "norm/kernels/columns.h"
#include "norm/kernels/sum.h"
#include "norm/pass.h"
#include "norm/widen.h"

/* What is known of one feature. */
struct surveyed {
	struct norm_tally tally;
	double center, reach;
	double mean;        /* by the first reading */
	struct sum sum;     /* of the values; then of their deviations from `mean` */
	struct sum squares; /* of these deviations */
};

static inline void
read_first(struct surveyed *s, double value)
{
	struct norm_tally *t = &s->tally;

	if (value - value != 0) { /* NaN, of both */
		t->nan += value != value;
		t->infinite += value == value;
		return;
	}
	t->finite++;
	t->beyond += fabs(value - s->center) > s->reach;
	t->min = value < t->min ? value : t->min;
	t->max = value > t->max ? value : t->max;
	sum_add(&s->sum, value);
}

static inline void
read_second(struct surveyed *s, double value)
{
	const double d = value - s->mean;

	if (value - value != 0)
		return;
	sum_add(&s->sum, d);
	sum_add(&s->squares, d * d);
}

/* Values of one feature. A copy of what is known stays in registers. */
static inline void
read_run(const double *values, size_t n, struct surveyed *s, bool again)
{
	struct surveyed known = *s;

	for (size_t i = 0; i < n; i++)
		if (again)
			read_second(&known, values[i]);
		else
			read_first(&known, values[i]);
	*s = known;
}

/* Runs of `each` values, which are short; one run is of each feature. */
static inline void
read_runs(const double *values, size_t n, size_t each, struct surveyed *s, bool again)
{
	for (size_t i = 0; i < n; s++)
		for (size_t end = i + each; i < end; i++)
			if (again)
				read_second(s, values[i]);
			else
				read_first(s, values[i]);
}

/* Values that follow one another in memory: of one feature, or runs of several. */
static void
read_values(const double *values, size_t n, size_t features, struct surveyed *s, bool again)
{
	if (features == 1 && again)
		read_run(values, n, s, true);
	else if (features == 1)
		read_run(values, n, s, false);
	else
		read_runs(values, n, n / features, s, again);
}

/* A block of features is one stretch of memory at each index of outer. It is long only if it is of one feature. */
static void
read_block(const struct norm_pass *p, struct norm_view v, struct norm_part block, struct surveyed *s, bool again)
{
	const size_t features = block.end - block.first, stretch = features * v.inner;
	double values[COLUMNS_MAX];

	for (size_t o = 0; o < v.outer; o++)
		for (size_t at = 0, n; at < stretch; at += n) {
			n = columns_min(stretch - at, COLUMNS_MAX);
			norm_widen(p->real, norm_pass_x(p, (o * v.feature + block.first) * v.inner + at), n, values);
			read_values(values, n, features, s, again);
		}
}

static void
begin(const struct norm_pass *p, struct norm_part block, struct surveyed *s)
{
	for (size_t f = block.first; f < block.end; f++)
		*s++ = (struct surveyed){
			.tally = { .min = INFINITY, .max = -INFINITY }, .center = p->by.mean[f], .reach = p->reach[f]
		};
}

/* Between the readings. */
static void
turn(struct norm_part block, struct surveyed *s)
{
	for (size_t f = block.first; f < block.end; f++, s++) {
		s->mean = s->tally.finite > 0 ? sum_total(s->sum) / (double)s->tally.finite : 0;
		s->sum = (struct sum){ 0 };
	}
}

/* Equal values give that value and 0, whatever rounding makes of their mean. */
static void
end(const struct norm_pass *p, struct norm_part block, const struct surveyed *s)
{
	for (size_t f = block.first; f < block.end; f++, s++) {
		const struct norm_tally *t = &s->tally;
		const double n = t->finite > 0 ? (double)t->finite : 1, d = sum_total(s->sum);
		const double var = (sum_total(s->squares) - d * (d / n)) / n;
		const bool equal = t->min == t->max;

		p->mean[f] = equal ? t->min : s->mean + d / n;
		p->var[f] = equal || var < 0 ? 0 : var;
		p->tally[f] = *t;
	}
}

/* A single feature's values are one run, however they are arranged. */
static bool
survey_part(const struct norm_pass *p, struct norm_part features)
{
	const struct norm_view v =
	    p->view.feature == 1 ? (struct norm_view){ 1, 1, norm_view_count(p->view) } : p->view;
	const size_t step = cut_step(v);
	struct surveyed s[COLUMNS_MAX] = { 0 };

	for (size_t f = features.first; f < features.end; f += step) {
		const struct norm_part block = { f, columns_min(f + step, features.end) };

		begin(p, block, s);
		read_block(p, v, block, s, false);
		turn(block, s);
		read_block(p, v, block, s, true);
		end(p, block, s);
	}
	return true;
}

const struct norm_op norm_survey = { .part = survey_part, .cut = cut_features };
