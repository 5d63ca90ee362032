/* SPDX-License-Identifier: MIT */
#include "layer/survey.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "layer/measure.h"
#include "layer/pass_run.h"

/* Whether any value is not padding. */
static bool
has_values(const struct call *c)
{
	const struct mask *m = &c->mask;

	return c->tensor->count > 0 && (m->keep == NULL || memchr(m->keep, 1, m->samples * m->positions) != NULL);
}

static int
allocate(struct workspace *ws, size_t features, struct survey *out, struct err *e)
{
	out->tally = workspace_array(ws, features, sizeof(*out->tally), e);
	out->finite = out->tally == NULL ? NULL : workspace_array(ws, features, sizeof(*out->finite), e);
	if (out->finite == NULL || workspace_doubles(ws, features, &out->mean, e) < 0 ||
	    workspace_doubles(ws, features, &out->var, e) < 0)
		return -1;
	return 0;
}

/* The moments of finite values may be beyond doubles: then the variance is the largest double. */
static void
finish(struct survey *s, size_t features)
{
	for (size_t f = 0; f < features; f++) {
		s->finite[f] = s->tally[f].finite;
		if (isfinite(s->mean[f]) && isfinite(s->var[f]))
			continue;
		s->mean[f] = isfinite(s->mean[f]) ? s->mean[f] : s->tally[f].min / 2 + s->tally[f].max / 2;
		s->var[f] = DBL_MAX;
	}
}

int
call_survey(struct call *c, struct survey *out, struct err *e)
{
	struct norm_pass pass;
	struct piece all;
	double *reach;

	*out = (struct survey){ 0 };
	if (measure_check_trained(c, &c->statistics, e) < 0)
		return -1;
	if (!has_values(c))
		return 0;
	if (allocate(c->workspace, c->view.feature, out, e) < 0 ||
	    workspace_doubles(c->workspace, c->view.feature, &reach, e) < 0 || pieces_cut(c, PIECES_WHOLE, e) < 0 ||
	    pieces_take(c, c->tensor, &c->values, e) < 0)
		return -1;
	for (size_t f = 0; f < c->view.feature; f++)
		reach[f] = SURVEY_REACH * sqrt(c->statistics.var[f]);
	all = pieces_get(&c->pieces, c->values, 0);
	pass = piece_pass(&norm_survey, &all);
	pass.by.mean = c->statistics.mean;
	pass.reach = reach;
	pass.tally = out->tally;
	pass.mean = out->mean;
	pass.var = out->var;
	(void)pass_run(c->workspace->crew, &pass);
	out->count = norm_view_count(all.view);
	finish(out, c->view.feature);
	return 0;
}
