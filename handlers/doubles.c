/* SPDX-License-Identifier: MIT */
#include "handlers/doubles.h"

#include <stdio.h>

#include "layer/definition.h"
#include "layer/reals.h"

const struct input weight_input = { "weight", INPUT_TENSOR, INPUT_BODY, .datatype = DATATYPE_FP64 };
const struct input bias_input = { "bias", INPUT_TENSOR, INPUT_BODY, .datatype = DATATYPE_FP64 };

const struct input statistics_count_input = { "count", DOUBLES_COUNT };

const struct input moments_mean_input = { "mean", DOUBLES_PER_FEATURE };
const struct input moments_var_input = { "var", DOUBLES_PER_FEATURE };
const struct input moments_count_input = { "count", DOUBLES_COUNT, .needed = true };

/* A tensor of doubles is used in place; another is converted. */
static int
as_doubles(struct request *rq, const struct tensor *t, double **values, struct err *e)
{
	if (t->datatype == DATATYPE_FP64 && t->count > 0) {
		*values = t->values;
		return workspace_count_copies(&rq->workspace, t->count, e);
	}
	if (workspace_doubles(&rq->workspace, t->count, values, e) < 0)
		return -1;
	real_widen(t, *values);
	return 0;
}

int
doubles_get(struct request *rq, const struct input *in, double **values, size_t *count, struct err *e)
{
	const struct cJSON *member = envelope_get(body_envelope(rq->body), in->name);
	const enum envelope_type type = envelope_type(member);
	const struct tensor *t = input_tensor(rq, in);

	*values = NULL;
	*count = 0;
	if (type == ENVELOPE_ABSENT && !in->needed)
		return 0;
	if (t == NULL || (type != ENVELOPE_TENSOR && type != ENVELOPE_OBJECT))
		return option_refuse(in, &(struct option){ .member = member }, "a list of numbers or a tensor", e);
	if (t->rank != 1 && in->one_extent)
		return err_fail(e, ERR_SHAPE_MISMATCH,
		    "\"%s\" must be a flat list, one value per feature; it has %u dimensions", in->name, t->rank);
	*count = t->count;
	return as_doubles(rq, t, values, e);
}

/* The count of decayed averaging need not be whole, and stays below the end that updates keep to. */
int
doubles_read_weight(const struct option *count, const struct definition *d, struct statistics *s, struct err *e)
{
	double n;

	if (d->averaging != AVERAGING_DECAYED)
		return option_read(&statistics_count_input, count, &s->count, e);
	if (envelope_double(count->member, &n) < 0 || !(n >= 0 && n < STATISTICS_DECAYED_COUNT_END))
		return option_refuse(&statistics_count_input, count, "a number that is at least 0 and below 2^63", e);
	s->decayed_count = n == 0 ? 0 : n; /* -0 is 0 */
	return 0;
}

/* Mean 0 and variance 1 are what GET shows of a layer without values, so they are accepted with count 0. */
static bool
is_initial(const struct statistics *s)
{
	for (size_t i = 0; i < s->features; i++)
		if (s->mean[i] != 0 || s->var[i] != 1)
			return false;
	return true;
}

int
doubles_check_weight(const struct statistics *s, const char *name, struct err *e)
{
	if (s->count != 0 || s->decayed_count != 0 || is_initial(s))
		return 0;
	return err_fail(e, ERR_BAD_PARAMETER,
	    "\"%s\" is 0, so the next batch would replace these statistics; give the number of values in them", name);
}

int
doubles_check_variance(const char *name, const double *var, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!(var[i] >= 0))
			return err_fail(e, ERR_BAD_PARAMETER, "\"%s\" must not be negative or NaN; value %zu is %g",
			    name, i, var[i]);
	return 0;
}

int
doubles_check_tracks(const struct request *rq, struct err *e)
{
	if (rq->definition->track_running_stats)
		return 0;
	return err_fail(e, ERR_BAD_PARAMETER, "layer \"%s\" (%s%s) keeps no running statistics", rq->layer,
	    definition_kind_name(rq->definition),
	    definition_may_track(rq->definition) ? ", track_running_stats false" : "");
}

int
doubles_check_count(const char *name, size_t n, size_t expected, struct err *e)
{
	if (n == expected)
		return 0;
	err_set(
	    e, ERR_SHAPE_MISMATCH, "\"%s\" must have %zu value%s; it has %zu", name, expected, err_plural(expected), n);
	snprintf(e->expected, sizeof(e->expected), "[%zu]", expected);
	snprintf(e->actual, sizeof(e->actual), "[%zu]", n);
	return -1;
}

int
doubles_check_features(const char *name, size_t n, size_t features, struct err *e)
{
	if (n == 0 && features == 0)
		return err_fail(e, ERR_SHAPE_MISMATCH, "\"%s\" is empty; it needs one value per feature", name);
	return features == 0 ? 0 : doubles_check_count(name, n, features, e);
}

int
doubles_get_moments(struct request *rq, struct moments *out, size_t *features, struct err *e)
{
	double *mean, *var;
	size_t var_count;

	if (doubles_get(rq, &moments_mean_input, &mean, features, e) < 0 ||
	    doubles_get(rq, &moments_var_input, &var, &var_count, e) < 0 ||
	    option_get(rq, &moments_count_input, &out->count, e) < 0 ||
	    doubles_check_features("mean", *features, rq->state->statistics.features, e) < 0 ||
	    doubles_check_features("var", var_count, *features, e) < 0 ||
	    doubles_check_variance("var", var, var_count, e) < 0)
		return -1;
	out->mean = mean;
	out->var = var;
	return 0;
}
