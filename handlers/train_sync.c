/* SPDX-License-Identifier: MIT */
/*
 * Training with a shard of a synchronized step. A shard may be empty, have one value a channel, or none but padding:
 * the whole batch counts. Its output can fail only where a value might not fit its datatype, which the leader sees of
 * the whole batch before anything is stored.
 */
#include <math.h>

#include "handlers/training.h"

int
train_shard(struct request *rq, struct training *t, struct err *e)
{
	struct sync_shard *s = &rq->member.shard;
	struct piece all;

	t->updates = arena_alloc(&rq->workspace.arena, sizeof(*t->updates));
	if (t->updates == NULL)
		return err_fail_memory(e);
	if (workspace_doubles(&rq->workspace, t->view.feature, &t->mean, e) < 0 ||
	    workspace_doubles(&rq->workspace, t->view.feature, &t->var, e) < 0 ||
	    workspace_doubles(&rq->workspace, t->view.feature, &t->rstd, e) < 0)
		return -1;
	if (pieces_cut(&rq->workspace, rq->definition, t->tensor, t->view, &t->mask, PIECES_WHOLE, 0, &t->pieces, e) <
		0 ||
	    pieces_take(&rq->workspace, &t->pieces, t->tensor, &t->values, e) < 0)
		return -1;
	all = pieces_get(&t->pieces, &t->values, 0);
	if (all.tensor.count > 0 && forward_moments(rq->workspace.crew, &all.tensor, all.view, t->mean, t->var, e) < 0)
		return -1;
	*s = (struct sync_shard){ .count = norm_view_count(all.view),
		.empty = t->tensor->count == 0,
		.features = t->view.feature,
		.mean = t->mean,
		.var = t->var,
		.limit = t->output && all.tensor.count > 0 ? forward_largest(t->tensor->datatype) : HUGE_VAL };
	return 0;
}

int
train_lead(struct request *rq, struct training *t, struct err *e)
{
	const struct sync_result *r = rq->member.result;

	if (r->empty)
		return 0;
	if (forward_check_count(r->count, e) < 0)
		return -1;
	if (isfinite(r->limit) && forward_check_variance(rq->definition, r->var, t->view.feature, e) < 0)
		return -1;
	if (isfinite(r->limit) &&
	    !forward_surely_finite(rq->definition, t->view.feature, r->count, r->limit, r->var, t->parameters))
		return err_fail(
		    e, ERR_NON_FINITE_INPUT, "a normalized value of the whole batch might not fit its datatype");
	if (!definition_tracks(rq->definition))
		return 0;
	t->updates[0] = training_update(rq, t->view.feature, r->count, r->mean, r->var);
	training_submit(rq, t->updates, 1);
	return 0;
}

int
train_shard_output(struct request *rq, struct training *t, struct err *e)
{
	const struct sync_result *r = rq->member.result;

	struct piece all;

	if (!t->output || t->tensor->count == 0)
		return 0;
	all = pieces_get(&t->pieces, &t->values, 0);
	if (forward_by_statistics(rq->workspace.crew, rq->definition, &all.tensor, all.view, r->mean, r->var,
		t->parameters, t->rstd, e) < 0)
		return -1;
	pieces_put(&rq->workspace, &t->pieces, &t->values, t->tensor);
	return 0;
}
