/* SPDX-License-Identifier: MIT */
#include "layer/measure.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "layer/pass_run.h"
#include "layer/reals.h"
#include "norm/normalize.h"

static int
refuse_few(uint64_t count, const char *what, struct err *e)
{
	return err_fail(e, ERR_TOO_FEW_VALUES, "the batch has %s value per %s; its variance needs at least two",
	    count == 0 ? "no" : "one", what);
}

int
measure_check_counted(const struct call *c, struct err *e)
{
	const struct mask *m = &c->mask;

	if (m->keep == NULL || memchr(m->keep, 1, m->samples * m->positions) != NULL)
		return 0;
	return err_fail(e, ERR_TOO_FEW_VALUES, "all positions of the batch are padding; at least one must count");
}

int
measure_check_count(uint64_t count, struct err *e)
{
	return count < 2 ? refuse_few(count, "channel", e) : 0;
}

int
measure_check_update(const struct definition *d, uint64_t count, bool output, struct err *e)
{
	const bool by_own = output && !definition_by_running(d), merges_one = definition_merges_one(d);

	if (count != 1 || !d->track_running_stats || (by_own && !merges_one))
		return measure_check_count(count, e);
	if (by_own)
		return err_fail(e, ERR_TOO_FEW_VALUES,
		    "the batch has one value per channel; normalizing by its variance needs at least two. To take "
		    "single values, send output=false, or create the layer with \"normalize_by\" \"running\"");
	if (merges_one)
		return 0;
	return err_fail(e, ERR_TOO_FEW_VALUES,
	    "the batch has one value per channel; the layer's averaging needs its variance, and so at least two. To "
	    "take single values, create the layer with \"averaging\" \"pooled\" or \"decayed\"");
}

int
measure_check_samples(const struct definition *d, struct norm_view view, struct err *e)
{
	if (d->kind == KIND_INSTANCE_NORM && view.inner < 2)
		return refuse_few(1, "instance", e);
	if (d->kind == KIND_GROUP_NORM && view.outer * (view.feature / d->num_groups) * view.inner < 2)
		return refuse_few(1, "group", e);
	return 0;
}

int
measure_check_finite(const struct moments *m, size_t features, struct err *e)
{
	for (size_t f = 0; f < features; f++)
		if (!isfinite(m->mean[f]) || !isfinite(m->var[f]))
			return err_fail(e, ERR_NON_FINITE_INPUT,
			    "channel %zu holds a NaN or an infinity, or its variance overflows", f);
	return 0;
}

bool
measure_is_narrow(const struct definition *d, double var)
{
	return d->min_std > 0 && sqrt(var) < d->min_std;
}

void
measure_rstd(const struct definition *d, const struct moments *m, size_t features, double *rstd)
{
	normalize_rstd(m->var, d->eps, features, rstd);
	if (m->count > 0 || d->min_std == 0)
		return;
	for (size_t f = 0; f < features; f++)
		if (measure_is_narrow(d, m->var[f]))
			rstd[f] = 1;
}

int
measure_check_rstd(const double *rstd, size_t features, struct err *e)
{
	for (size_t f = 0; f < features; f++)
		if (!isfinite(rstd[f]))
			return err_fail(e, ERR_NON_FINITE_INPUT,
			    "channel %zu is constant: its variance is 0, and so is \"eps\", so that it cannot be "
			    "normalized",
			    f);
	return 0;
}

static int
refuse_untrained(const struct call *c, struct err *e)
{
	if (c->version != 0)
		return err_fail(e, ERR_NOT_TRAINED,
		    "layer \"%s\" had no statistics yet when version %" PRIu64 " was made: use a later version",
		    c->name, c->version);
	return err_fail(e, ERR_NOT_TRAINED,
	    "layer \"%s\" was never trained and no statistics were put: %strain it, or PUT them", c->name,
	    c->frozen ? "thaw it by PUT .../frozen {\"frozen\":false}, then " : "");
}

int
measure_check_trained(const struct call *c, const struct statistics *s, struct err *e)
{
	return s->mean == NULL ? refuse_untrained(c, e) : 0;
}

int
measure_running(const struct call *c, struct moments *out, struct err *e)
{
	double *zeros;

	*out = (struct moments){ 0, c->statistics.mean, c->statistics.var };
	if (measure_check_trained(c, &c->statistics, e) < 0)
		return -1;
	if (c->definition->with_mean)
		return 0;
	if (workspace_doubles(c->workspace, c->statistics.features, &zeros, e) < 0)
		return -1;
	out->mean = zeros;
	return 0;
}

int
measure_copy_running(const struct call *c, const struct statistics *s, double *room, struct err *e)
{
	const size_t n = c->view.feature;

	if (measure_check_trained(c, s, e) < 0)
		return -1;
	for (size_t f = 0; f < n; f++)
		room[f] = c->definition->with_mean ? s->mean[f] : 0;
	memcpy(room + n, s->var, n * sizeof(*room));
	return 0;
}

int
measure_moments(const struct call *c, const struct piece *p, double *room, struct moments *out, struct err *e)
{
	struct norm_pass pass = piece_pass(&norm_moments, p);

	pass.mean = room;
	pass.var = room + p->view.feature;
	(void)pass_run(c->workspace->crew, &pass);
	*out = (struct moments){ norm_view_count(p->view), pass.mean, pass.var };
	return measure_check_finite(out, p->view.feature, e);
}

int
measure_instances(const struct call *c, const struct piece *p, double *mean, double *var, struct err *e)
{
	const size_t instances = p->view.outer * p->view.feature;
	struct norm_pass pass = piece_pass(&norm_moments, p);

	pass.view = (struct norm_view){ 1, instances, p->view.inner };
	pass.mean = mean;
	pass.var = var;
	(void)pass_run(c->workspace->crew, &pass);
	for (size_t first = 0; first < instances; first += p->view.feature)
		if (measure_check_finite(
			&(struct moments){ p->view.inner, mean + first, var + first }, p->view.feature, e) < 0)
			return -1;
	return 0;
}
