#include "handlers/own_statistics.h"

static int
by_batch(struct request *rq, const struct definition *d, struct tensor *t, struct norm_view view, struct scale_shift p,
    struct err *e)
{
	double *mean, *var, *rstd;

	if (request_doubles(rq, view.feature, &mean, e) < 0 || request_doubles(rq, view.feature, &var, e) < 0 ||
	    request_doubles(rq, view.feature, &rstd, e) < 0 || forward_moments(t, view, mean, var, e) < 0)
		return -1;
	return forward_by_statistics(d, t, view, mean, var, p, rstd, e);
}

int
own_statistics_normalize(struct request *rq, const struct definition *d, struct tensor *t, struct norm_view view,
    struct scale_shift p, struct err *e)
{
	double *scratch;

	if (t->count == 0)
		return 0;
	if (d->kind == KIND_BATCH_NORM)
		return by_batch(rq, d, t, view, p, e);
	if (request_doubles(rq, forward_sample_scratch(d, view), &scratch, e) < 0)
		return -1;
	return forward_by_sample(d, t, view, p, scratch, e);
}
