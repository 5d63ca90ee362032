#include "handlers/own_statistics.h"

static int
by_batch(struct request *rq, const struct definition *d, struct tensor *t, struct norm_view view, struct scale_shift p,
    bool ghosts, struct err *e)
{
	struct ghosts g = ghosts_cut(1, 0, 1);
	double *mean, *var, *rstd;

	if (ghosts && ghosts_init(rq, d, t, 0, &g, e) < 0)
		return -1;
	if (request_doubles(rq, view.feature, &mean, e) < 0 || request_doubles(rq, view.feature, &var, e) < 0 ||
	    request_doubles(rq, view.feature, &rstd, e) < 0)
		return -1;
	for (size_t i = 0; i < g.count; i++) {
		struct norm_view piece_view;
		struct tensor piece = ghosts_piece(&g, t, view, i, &piece_view);

		if (forward_moments(&piece, piece_view, mean, var, e) < 0 ||
		    forward_by_statistics(d, &piece, piece_view, mean, var, p, rstd, e) < 0)
			return -1;
	}
	return 0;
}

int
own_statistics_normalize(struct request *rq, const struct definition *d, struct tensor *t, struct norm_view view,
    struct scale_shift p, bool ghosts, struct err *e)
{
	double *scratch;

	if (t->count == 0)
		return 0;
	if (d->kind == KIND_BATCH_NORM)
		return by_batch(rq, d, t, view, p, ghosts, e);
	if (request_doubles(rq, forward_sample_scratch(d, view), &scratch, e) < 0)
		return -1;
	return forward_by_sample(d, t, view, p, scratch, e);
}
