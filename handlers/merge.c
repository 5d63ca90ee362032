/* SPDX-License-Identifier: MIT */
/* POST .../statistics/merge: the moments of a batch that the client measured itself, taken as one training batch. */
#include "layer/definition.h"
#include "handlers/doubles.h"
#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include "handlers/reply.h"

static const struct input mean_input = DOUBLES_PER_FEATURE("mean");
static const struct input var_input = DOUBLES_PER_FEATURE("var");
static const struct input count_input = DOUBLES_COUNT("count", true);

const struct input *const statistics_merge_inputs[] = { &mean_input, &var_input, &count_input, NULL };

static int
answer(struct request *rq, uint64_t num_batches_tracked, uint64_t revision)
{
	reply_counts(&rq->reply, num_batches_tracked, revision);
	reply_end(&rq->reply);
	return 0;
}

static int
parse_moments(struct request *rq, struct update *u, struct err *e)
{
	double *mean, *var;
	size_t var_count;

	if (inputs_check_body(rq, e) < 0 || doubles_get(rq, &mean_input, &mean, &u->features, e) < 0 ||
	    doubles_get(rq, &var_input, &var, &var_count, e) < 0 || option_get(rq, &count_input, &u->count, e) < 0 ||
	    doubles_check_features("mean", u->features, rq->state->statistics.features, e) < 0 ||
	    doubles_check_features("var", var_count, u->features, e) < 0 ||
	    doubles_check_variance("var", var, var_count, e) < 0)
		return -1;
	u->mean = mean;
	u->var = var;
	return 0;
}

int
statistics_merge(struct request *rq, struct err *e)
{
	const struct definition *d = rq->definition;
	struct update *u = arena_alloc(&rq->workspace.arena, sizeof(*u));

	if (u == NULL)
		return err_fail_memory(e);
	if (doubles_check_tracks(rq, e) < 0 || parse_moments(rq, u, e) < 0)
		return -1;
	if (u->count == 0)
		return answer(rq, rq->state->statistics.num_batches_tracked, rq->state->revision);
	if (u->count == 1)
		return err_fail(
		    e, ERR_TOO_FEW_VALUES, "\"count\" is 1; a training batch has at least two values per channel");
	u->averaging = d->averaging;
	u->momentum = definition_new_weight(d);
	u->ddof = d->unbiased_running_var ? 1 : 0;
	rq->write.updates.list = u;
	rq->write.updates.count = 1;
	request_write(rq, STORE_UPDATE);
	idempotency_guard(rq);
	return 0;
}

int
statistics_merge_finish(struct request *rq, struct err *e)
{
	(void)e;
	return answer(rq, rq->write.result.num_batches_tracked, rq->write.result.revision);
}
