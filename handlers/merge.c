/* SPDX-License-Identifier: MIT */
/* POST .../statistics/merge: applies the moments of a batch that the client measured itself, as one training batch. */
#include "handlers/doubles.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"
#include "handlers/request_call.h"

const struct input *const statistics_merge_inputs[] = { &moments_mean_input, &moments_var_input, &moments_count_input,
	NULL };

static int
answer(struct request *rq, uint64_t num_batches_tracked, uint64_t revision)
{
	reply_counts(&rq->reply, num_batches_tracked, revision);
	reply_end(&rq->reply);
	return 0;
}

int
counts_unchanged(struct request *rq, struct err *e)
{
	if (request_is_frozen(rq))
		return store_refuse_frozen(rq->layer, e);
	return answer(rq, rq->state->statistics.num_batches_tracked, rq->state->revision);
}

int
counts_finish(struct request *rq, struct err *e)
{
	(void)e;
	return answer(rq, rq->write.result.num_batches_tracked, rq->write.result.revision);
}

int
statistics_merge(struct request *rq, struct err *e)
{
	struct update *u = workspace_alloc(&rq->workspace, sizeof(*u), e);
	struct moments m;
	size_t features;

	if (u == NULL || doubles_check_tracks(rq, e) < 0 || doubles_get_moments(rq, &m, &features, e) < 0)
		return -1;
	if (m.count == 0)
		return counts_unchanged(rq, e);
	if (m.count == 1 && !definition_merges_one(rq->definition))
		return err_fail(e, ERR_TOO_FEW_VALUES,
		    "\"count\" is 1, and %s averaging needs at least two values per channel",
		    definition_averaging_name(rq->definition));
	*u = definition_update(rq->definition, features, &m);
	request_update(rq, u, 1);
	return 0;
}
