/* SPDX-License-Identifier: MIT */
#include "handlers/comparison.h"

#include "layer/definition.h"

#define TOP_DEFAULT 10
#define TOP_MAX 1000

/* As is usual for the population stability index, which estimates the divergence. */
#define POSSIBLE_DEFAULT 0.1
#define DRIFT_DEFAULT 0.25
#define MIN_COUNT_DEFAULT 100

const struct input top_input = { "top", INPUT_UINT, INPUT_QUERY, .max = TOP_MAX };
const struct input possible_input = { "possible", INPUT_NUMBER, .places = INPUT_QUERY };
const struct input drift_input = { "drift", INPUT_NUMBER, .places = INPUT_QUERY };
const struct input min_count_input = { "min_count", INPUT_UINT, INPUT_QUERY, .min = 2, .max = STATISTICS_COUNT_MAX };

int
comparison_options_get(const struct request *rq, struct drift_options *out, struct err *e)
{
	*out = (struct drift_options){ .drift = DRIFT_DEFAULT, .min_count = MIN_COUNT_DEFAULT, .top = TOP_DEFAULT };
	if (option_get(rq, &top_input, &out->top, e) < 0 || option_get(rq, &min_count_input, &out->min_count, e) < 0 ||
	    option_get_number(rq, &drift_input, &out->drift, e) < 0)
		return -1;
	out->possible = out->drift < POSSIBLE_DEFAULT ? out->drift : POSSIBLE_DEFAULT;
	if (option_get_number(rq, &possible_input, &out->possible, e) < 0)
		return -1;
	if (out->possible <= out->drift)
		return 0;
	return err_fail(e, ERR_BAD_PARAMETER, "\"possible\" must not be above \"drift\"; they are %g and %g",
	    out->possible, out->drift);
}

/* How many values are behind the statistics; 0 where that is unknown. */
static double
values_of(const struct statistics *s, const struct definition *d)
{
	return d->averaging == AVERAGING_DECAYED ? s->decayed_count : (double)s->count;
}

int
comparison_reference(struct request *rq, const struct snapshot *s, struct moments *out, struct err *e)
{
	const struct statistics *t = &s->statistics;
	const struct definition *d = s->identity->parsed;
	const double n = values_of(t, d), biased = n > 1 ? (n - 1) / n : 0;
	double *var;

	*out = (struct moments){ t->mean != NULL, t->mean, t->var };
	if (!d->unbiased_running_var || t->mean == NULL || n == 0)
		return 0;
	if (workspace_doubles(&rq->workspace, t->features, &var, e) < 0)
		return -1;
	for (size_t f = 0; f < t->features; f++)
		var[f] = t->var[f] * biased;
	out->var = var;
	return 0;
}

void
comparison_format(struct buf *b, const struct drift *d, uint64_t count, comparison_more *more, const void *arg)
{
	buf_printf(b, "{\"verdict\":\"%s\",\"count\":", drift_verdict_name(d->verdict));
	buf_uint(b, count);
	buf_text(b, ",\"max\":{");
	distance_format(b, &d->max);
	buf_text(b, "},\"median\":{");
	distance_format(b, &d->median);
	buf_text(b, "},\"features\":[");
	for (size_t i = 0; i < d->worst_count; i++) {
		const struct drift_feature *f = &d->worst[i];

		buf_printf(b, "%s{\"index\":%zu,", i == 0 ? "" : ",", f->index);
		distance_format(b, &f->scores);
		buf_printf(b, ",\"verdict\":\"%s\"", drift_verdict_name(f->verdict));
		if (more != NULL)
			more(b, arg, f->index);
		buf_byte(b, '}');
	}
	buf_byte(b, ']');
}
