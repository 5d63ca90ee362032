/*
 * Backward with a shard of a synchronized step. A shard may be empty, have one value a channel, or none but padding: the whole batch
 * counts.
 */
#include "handlers/gradients.h"
#include "handlers/parts.h"
#include "norm/normalize.h"

int
backward_shard(struct request *rq, struct backward *w, struct err *e)
{
	struct sync_shard *s = &rq->member.shard;
	struct channels *c = &w->channels;
	size_t count = 0;

	if (rq->definition->clip > 0 || !w->train)
		return err_set(e, ERR_BAD_PARAMETER, "\"sync\" is for mode train, of a layer that does not clip");
	if (gradients_channels_init(rq, w->view.feature, c, e) < 0)
		return -1;
	rq->sync_backward = true;
	if (w->x->count > 0) {
		if (mask_moments(rq, w->x, w->view, w->mask.keep, c->mean, c->rstd, &count, e) < 0)
			return -1;
		normalize_rstd(c->rstd, rq->definition->eps, w->view.feature, c->scratch);
		parts_backward_sums(rq->crew, forward_real(w->x->datatype), w->x->values, w->g->values, w->view, c->mean,
		    c->scratch, c->bias, c->weight);
	}
	*s = (struct sync_shard){ .count = count,
		.empty = w->x->count == 0,
		.features = w->view.feature,
		.mean = c->mean,
		.var = c->rstd,
		.sum = c->bias,
		.product = c->weight };
	return 0;
}

/*
 * The shard's gradient by the sums of the whole batch. Those by weight and bias are the shard's own part, as PyTorch's SyncBatchNorm gives
 * them: who trains adds them up.
 */
int
backward_shard_output(struct request *rq, struct backward *w, struct err *e)
{
	const struct sync_result *r = rq->member.result;
	struct channels *c = &w->channels;
	const unsigned char *keep = w->mask.keep;
	void *was;
	bool finite;

	if (r->empty)
		return 0;
	/* Before a rank without values is done: what is refused is refused to all. */
	if (forward_check_count(r->count, e) < 0)
		return -1;
	if (w->x->count == 0)
		return 0;
	if (gradients_padding_save(rq, w->g, keep, &was, e) < 0)
		return -1;
	normalize_rstd(r->var, rq->definition->eps, w->view.feature, c->rstd);
	for (size_t f = 0; f < w->view.feature; f++) {
		w->bias[f] = c->bias[f];
		w->weight[f] = (c->weight[f] + (c->mean[f] - r->mean[f]) * c->bias[f]) * c->rstd[f];
	}
	finite = parts_backward_by_sums(rq->crew, forward_real(w->x->datatype), w->x->values, w->g->values, w->view, r->count,
	    r->mean, c->rstd, w->parameters.weight, r->sum, r->product, c->scratch);
	return gradients_padding_scale(w->g, w->view, keep, was, c->scratch, finite) ? 0 : gradients_refuse(e);
}
