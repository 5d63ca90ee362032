#include "handlers/own_statistics.h"

#include <string.h>

#include "norm/normalize.h"

static int
by_batch(struct request *rq, const struct definition *d, struct tensor *t, struct norm_view view, struct scale_shift p,
    bool ghosts, const struct mask *m, struct err *e)
{
	struct ghosts g = ghosts_cut(1, 0, 1);
	double *mean, *var, *rstd;
	size_t count;

	if (ghosts && ghosts_init(rq, d, t, 0, &g, e) < 0)
		return -1;
	if (request_doubles(rq, view.feature, &mean, e) < 0 || request_doubles(rq, view.feature, &var, e) < 0 ||
	    request_doubles(rq, view.feature, &rstd, e) < 0)
		return -1;
	for (size_t i = 0; i < g.count; i++) {
		struct norm_view piece_view;
		struct tensor piece = ghosts_piece(&g, t, view, i, &piece_view);
		int result;

		if (m->keep == NULL)
			result = forward_batch(rq->crew, d, &piece, piece_view, p, mean, var, rstd, e);
		else if (ghosts_moments(rq, &g, i, &piece, piece_view, m, mean, var, &count, e) == 0)
			result = forward_by_statistics(rq->crew, d, &piece, piece_view, mean, var, p, rstd, e);
		else
			result = -1;
		if (result < 0)
			return -1;
	}
	return 0;
}

/* Each group's number to its channels: from `groups` numbers a sample to `channels`, in an array that has room; from the end. */
static void
spread_samples(double *value, size_t samples, size_t groups, size_t channels)
{
	for (size_t n = samples; n-- > 0;) {
		memmove(value + n * channels, value + n * groups, groups * sizeof(*value));
		normalize_spread(value + n * channels, groups, channels);
	}
}

int
own_statistics_by_runs(struct request *rq, const struct definition *d, struct tensor *t, struct norm_view view,
    struct scale_shift p, const double *mean, double *var, const size_t *count, struct err *e)
{
	const size_t runs = mask_runs(d, view), channels = view.outer * view.feature;
	double *means = NULL, *rstds = NULL;

	normalize_rstd(var, forward_eps(d, t->datatype), runs, var);
	for (size_t r = 0; r < runs; r++)
		var[r] = count[r] == 0 ? 0 : var[r];
	if (definition_is_shaped(d))
		return forward_by_rows(rq->crew, d, t, view, mean, var, p, e);
	if (request_doubles(rq, channels, &means, e) < 0 || request_doubles(rq, channels, &rstds, e) < 0)
		return -1;
	memcpy(means, mean, runs * sizeof(*means));
	memcpy(rstds, var, runs * sizeof(*rstds));
	spread_samples(means, view.outer, runs / view.outer, view.feature);
	spread_samples(rstds, view.outer, runs / view.outer, view.feature);
	return forward_by_instances(rq->crew, d, t, view, means, rstds, p, e);
}

static int
by_unpadded_runs(struct request *rq, const struct definition *d, struct tensor *t, struct norm_view view, struct scale_shift p,
    const struct mask *m, struct err *e)
{
	const size_t runs = mask_runs(d, view);
	size_t *count = request_array(rq, runs, sizeof(*count), e);
	double *mean, *var;

	if (count == NULL || forward_check_values(d, view, e) < 0)
		return -1;
	if (request_doubles(rq, runs, &mean, e) < 0 || request_doubles(rq, runs, &var, e) < 0 ||
	    mask_run_moments(rq, d, t, view, m, mean, var, count, e) < 0)
		return -1;
	return own_statistics_by_runs(rq, d, t, view, p, mean, var, count, e);
}

int
own_statistics_normalize(struct request *rq, const struct definition *d, struct tensor *t, struct norm_view view,
    struct scale_shift p, bool ghosts, const struct mask *m, struct err *e)
{
	if (t->count == 0)
		return 0;
	if (d->kind == KIND_BATCH_NORM)
		return by_batch(rq, d, t, view, p, ghosts, m, e);
	if (m->keep != NULL)
		return by_unpadded_runs(rq, d, t, view, p, m, e);
	return forward_by_sample(rq->crew, d, t, view, p, e);
}
