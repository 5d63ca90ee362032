/* SPDX-License-Identifier: MIT */
/* POST .../statistics/merge: applies the moments of a batch that the client measured itself, as one training batch. */
#include "handlers/doubles.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"
#include "handlers/request_call.h"

static const struct input mean_input = { "mean", DOUBLES_PER_FEATURE };
static const struct input var_input = { "var", DOUBLES_PER_FEATURE };
static const struct input count_input = { "count", DOUBLES_COUNT, .needed = true };

const struct input *const statistics_merge_inputs[] = { &mean_input, &var_input, &count_input, NULL };

static int
answer(struct request *rq, uint64_t num_batches_tracked, uint64_t revision)
{
	reply_counts(&rq->reply, num_batches_tracked, revision);
	reply_end(&rq->reply);
	return 0;
}

static int
parse_moments(struct request *rq, struct moments *m, size_t *features, struct err *e)
{
	double *mean, *var;
	size_t var_count;

	if (doubles_get(rq, &mean_input, &mean, features, e) < 0 ||
	    doubles_get(rq, &var_input, &var, &var_count, e) < 0 || option_get(rq, &count_input, &m->count, e) < 0 ||
	    doubles_check_features("mean", *features, rq->state->statistics.features, e) < 0 ||
	    doubles_check_features("var", var_count, *features, e) < 0 ||
	    doubles_check_variance("var", var, var_count, e) < 0)
		return -1;
	m->mean = mean;
	m->var = var;
	return 0;
}

int
statistics_merge(struct request *rq, struct err *e)
{
	struct update *u = workspace_alloc(&rq->workspace, sizeof(*u), e);
	struct moments m;
	size_t features;

	if (u == NULL || doubles_check_tracks(rq, e) < 0 || parse_moments(rq, &m, &features, e) < 0)
		return -1;
	if (m.count == 0)
		return answer(rq, rq->state->statistics.num_batches_tracked, rq->state->revision);
	if (m.count == 1)
		return err_fail(
		    e, ERR_TOO_FEW_VALUES, "\"count\" is 1; a training batch needs at least two values per channel");
	*u = definition_update(rq->definition, features, &m);
	request_update(rq, u, 1);
	return 0;
}

int
statistics_merge_finish(struct request *rq, struct err *e)
{
	(void)e;
	return answer(rq, rq->write.result.num_batches_tracked, rq->write.result.revision);
}
