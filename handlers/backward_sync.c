/* SPDX-License-Identifier: MIT */
/*
 * Backward with a shard of a synchronized step. A shard may be empty, have one value a channel, or none but padding:
 * the whole batch counts.
 */
#include "handlers/backward.h"
#include "layer/parts.h"
#include "norm/normalize.h"

int
backward_shard(struct request *rq, struct backward *w, struct err *e)
{
	struct sync_shard *s = &rq->member.shard;
	struct channels *c = &w->channels;
	struct piece x, g;

	if (rq->definition->clip > 0 || !w->train)
		return err_fail(e, ERR_BAD_PARAMETER, "\"sync\" is for mode train, of a layer that does not clip");
	if (gradients_channels_init(&rq->workspace, w->view.feature, c, e) < 0 ||
	    pieces_cut(&rq->workspace, rq->definition, w->x, w->view, &w->mask, PIECES_WHOLE, 0, &w->pieces, e) < 0 ||
	    pieces_take(&rq->workspace, &w->pieces, w->x, &w->x_values, e) < 0 ||
	    pieces_take(&rq->workspace, &w->pieces, w->g, &w->g_values, e) < 0)
		return -1;
	rq->sync_backward = true;
	x = pieces_get(&w->pieces, &w->x_values, 0);
	g = pieces_get(&w->pieces, &w->g_values, 0);
	if (x.tensor.count > 0) {
		if (forward_moments(rq->workspace.crew, &x.tensor, x.view, c->mean, c->rstd, e) < 0)
			return -1;
		normalize_rstd(c->rstd, rq->definition->eps, w->view.feature, c->scratch);
		parts_backward_sums(rq->workspace.crew, forward_real(x.tensor.datatype), x.tensor.values,
		    g.tensor.values, x.view, c->mean, c->scratch, c->bias, c->weight);
	}
	*s = (struct sync_shard){ .count = norm_view_count(x.view),
		.empty = w->x->count == 0,
		.features = w->view.feature,
		.mean = c->mean,
		.var = c->rstd,
		.sum = c->bias,
		.product = c->weight };
	return 0;
}

/*
 * The shard's gradient by the sums of the whole batch. Those by weight and bias are the shard's own part, as PyTorch's
 * SyncBatchNorm gives them: who trains adds them up.
 */
int
backward_shard_output(struct request *rq, struct backward *w, struct err *e)
{
	const struct sync_result *r = rq->member.result;
	struct channels *c = &w->channels;
	struct piece x, g;

	if (r->empty)
		return 0;
	/* Before a rank without values is done: what is refused is refused to all. */
	if (forward_check_count(r->count, e) < 0)
		return -1;
	if (w->x->count == 0)
		return 0;
	normalize_rstd(r->var, rq->definition->eps, w->view.feature, c->rstd);
	for (size_t f = 0; f < w->view.feature; f++) {
		w->bias[f] = c->bias[f];
		w->weight[f] = (c->weight[f] + (c->mean[f] - r->mean[f]) * c->bias[f]) * c->rstd[f];
	}
	x = pieces_get(&w->pieces, &w->x_values, 0);
	g = pieces_get(&w->pieces, &w->g_values, 0);
	if (x.tensor.count > 0 &&
	    !parts_backward_by_sums(rq->workspace.crew, forward_real(x.tensor.datatype), x.tensor.values,
		g.tensor.values, x.view, r->count, r->mean, c->rstd, w->parameters.weight, r->sum, r->product,
		c->scratch))
		return gradients_refuse(rq->definition, &g, e);
	pieces_put(&rq->workspace, &w->pieces, &w->g_values, w->g);
	return 0;
}
