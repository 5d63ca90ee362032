/* SPDX-License-Identifier: MIT */
/*
 * POST .../report: how far the data of the request is from the running statistics of the state that serves, or that
 * ?version= names, and what is unusual about it. NaNs and infinities are counted. Changes nothing.
 */
#include <inttypes.h>

#include "codec/json_write.h"
#include "handlers/call_options.h"
#include "handlers/comparison.h"
#include "handlers/doubles.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"
#include "handlers/request_call.h"
#include "layer/survey.h"

/* As tensor_input, but for the values. */
static const struct input any_tensor_input = { "data", INPUT_BODY_TENSOR, INPUT_BODY, .datatype = DATATYPE_FP32,
	.by_layer = true, .needed = true, .non_finite = true };

const struct input *const report_inputs[] = { &any_tensor_input, &lengths_input, &mask_input, &top_input,
	&possible_input, &drift_input, &min_count_input, &version_input, NULL };

/* The numbers of a feature that is shown. */
#define FEATURE_VALUES ((size_t)10)

/* What a report is made of. */
struct report {
	struct drift_options options;
	struct survey survey;
	struct drift_data data;
	struct drift drift;
};

static int
look(struct request *rq, struct report *r, struct err *e)
{
	struct call c = request_call(rq, rq->state);

	if (doubles_check_tracks(rq, e) < 0 || comparison_options_get(rq, &r->options, e) < 0 ||
	    input_need_tensor(rq, &any_tensor_input, &c.tensor, e) < 0 || call_fit(&c, e) < 0 ||
	    mask_options_get(rq, c.definition, c.tensor, &c.mask, e) < 0)
		return -1;
	if (call_survey(&c, &r->survey, e) < 0)
		return -1;
	request_count_values(METRIC_OPERATION_REPORT, &c);
	return 0;
}

static int
compare(struct request *rq, struct report *r, struct err *e)
{
	const struct survey *s = &r->survey;

	if (comparison_reference(rq, rq->state, &r->data.reference, e) < 0)
		return -1;
	r->data.features = rq->state->statistics.features;
	r->data.window = (struct moments){ s->count, s->mean, s->var };
	r->data.counts = s->finite;
	return drift_compare(&rq->workspace, &r->data, &r->options, &r->drift, e);
}

static void
add_number(struct buf *b, const char *name, double value)
{
	buf_printf(b, ",\"%s\":", name);
	json_add_double(b, value);
}

/* Of a feature; extremes and shares are null where no value is finite. */
static void
add_tally(struct buf *b, const void *arg, size_t feature)
{
	const struct norm_tally *t = &((const struct survey *)arg)->tally[feature];

	buf_printf(b, ",\"nan\":%" PRIu64 ",\"infinite\":%" PRIu64, t->nan, t->infinite);
	if (t->finite == 0) {
		buf_text(b, ",\"min\":null,\"max\":null,\"beyond_3\":null");
		return;
	}
	add_number(b, "min", t->min);
	add_number(b, "max", t->max);
	add_number(b, "beyond_3", (double)t->beyond / (double)t->finite);
}

/* Of all features together, and where they are. */
static void
add_totals(struct buf *b, const struct report *r)
{
	const size_t features = r->survey.count > 0 ? r->data.features : 0;
	uint64_t nan = 0, infinite = 0, found = 0;

	buf_text(b, ",\"not_finite\":[");
	for (size_t f = 0; f < features; f++) {
		const struct norm_tally *t = &r->survey.tally[f];

		nan += t->nan;
		infinite += t->infinite;
		if (t->nan + t->infinite > 0 && found < r->options.top)
			buf_printf(b, "%s%zu", found++ == 0 ? "" : ",", f);
	}
	buf_printf(b, "],\"nan\":%" PRIu64 ",\"infinite\":%" PRIu64 "}", nan, infinite);
}

int
report_start(struct request *rq, struct err *e)
{
	struct report r = { 0 };

	if (look(rq, &r, e) < 0 || compare(rq, &r, e) < 0)
		return -1;
	reply_expect_numbers(&rq->reply, r.drift.worst_count * FEATURE_VALUES);
	comparison_format(&rq->reply.text, &r.drift, r.survey.count, add_tally, &r.survey);
	add_totals(&rq->reply.text, &r);
	reply_state(&rq->reply, rq->state);
	return 0;
}
