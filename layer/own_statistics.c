/* SPDX-License-Identifier: MIT */
#include "layer/own_statistics.h"

/* The batch's pieces; only batch_norm's moments are kept anywhere. */
static int
normalize_pieces(struct workspace *ws, const struct definition *d, const struct pieces *pieces,
    const struct tensor *values, struct scale_shift p, struct err *e)
{
	const size_t features = pieces->view.feature;
	double *mean = NULL, *var = NULL, *rstd = NULL;
	int result = 0;

	if (d->kind == KIND_BATCH_NORM &&
	    (workspace_doubles(ws, features, &mean, e) < 0 || workspace_doubles(ws, features, &var, e) < 0 ||
		workspace_doubles(ws, features, &rstd, e) < 0))
		return -1;
	for (size_t i = 0; i < pieces->count && result == 0; i++) {
		struct piece piece = pieces_get(pieces, values, i);

		if (d->kind == KIND_BATCH_NORM)
			result = forward_batch(ws->crew, d, &piece.tensor, piece.view, p, mean, var, rstd, e);
		else
			result = forward_by_sample(ws->crew, d, &piece.tensor, piece.view, p, e);
	}
	return result;
}

int
own_statistics_normalize(struct workspace *ws, const struct definition *d, struct tensor *t, struct norm_view view,
    struct scale_shift p, bool train, const struct mask *m, struct err *e)
{
	struct pieces pieces;
	struct tensor values;

	if (t->count == 0)
		return 0;
	if (pieces_cut(ws, d, t, view, m, pieces_way_of(d, train), 0, &pieces, e) < 0 ||
	    pieces_take(ws, &pieces, t, &values, e) < 0 || normalize_pieces(ws, d, &pieces, &values, p, e) < 0)
		return -1;
	pieces_put(ws, &pieces, &values, t);
	return 0;
}
