/* SPDX-License-Identifier: MIT */
/*
 * GET .../drift: how far what inference has read since the window began is from the running statistics of the state
 * that serves, or that ?version= names. DELETE begins a new window.
 */
#include <assert.h>

#include "base/clock.h"
#include "handlers/comparison.h"
#include "handlers/doubles.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"
#include "handlers/request_call.h"
#include "layer/measure.h"

const struct input *const drift_inputs[] = { &top_input, &possible_input, &drift_input, &min_count_input,
	&version_input, NULL };

int
drift_get(struct request *rq, struct err *e)
{
	const struct call c = request_call(rq, rq->state);
	struct drift_options *options = workspace_alloc(&rq->workspace, sizeof(*options), e);

	if (options == NULL || doubles_check_tracks(rq, e) < 0 || comparison_options_get(rq, options, e) < 0 ||
	    measure_check_trained(&c, &c.statistics, e) < 0)
		return -1;
	rq->scratch = options;
	request_store(rq, STORE_WINDOW_GET);
	rq->op.window = (struct store_window){ .model = rq->model,
		.layer = rq->layer,
		.layer_id = rq->state->identity->id,
		.memory = &rq->workspace.memory };
	return 0;
}

static void
add_since(struct buf *b, int64_t since_s)
{
	char time[CLOCK_STAMP_BYTES];

	clock_second_stamp(since_s, time);
	if (since_s == 0)
		buf_text(b, ",\"since\":null}");
	else
		buf_printf(b, ",\"since\":\"%s\"}", time);
}

int
drift_get_finish(struct request *rq, struct err *e)
{
	const struct store_window *window = &rq->op.window;
	struct drift_data data = { .features = rq->state->statistics.features, .window = window->moments };
	struct drift drift;

	/* A layer's number of features is fixed once, before it has statistics. */
	assert(window->moments.count == 0 || window->snapshot->statistics.features == data.features);
	if (comparison_reference(rq, rq->state, &data.reference, e) < 0 ||
	    drift_compare(&rq->workspace, &data, rq->scratch, &drift, e) < 0)
		return -1;
	comparison_format(&rq->reply.text, &drift, window->moments.count, NULL, NULL);
	add_since(&rq->reply.text, window->since_s);
	reply_state(&rq->reply, rq->state);
	store_op_fini(&rq->op);
	return 0;
}

int
drift_reset(struct request *rq, struct err *e)
{
	if (doubles_check_tracks(rq, e) < 0)
		return -1;
	request_write(rq, STORE_WINDOW_RESET);
	return precondition_get(rq, e);
}
