/* SPDX-License-Identifier: MIT */
/* PUT, GET and DELETE .../statistics/sources/{source}; the option `source` of train. */
#include "handlers/source_calls.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/quote.h"
#include "codec/json_write.h"
#include "handlers/doubles.h"
#include "handlers/handlers.h"
#include "handlers/placeholders.h"
#include "handlers/reply.h"
#include "layer/definition.h"

const struct input source_input = { "source", INPUT_TEXT, INPUT_ANYWHERE, .stored = true };

/* GET answers these, so PUT accepts and ignores them. */
static const struct input name_input = { "source", INPUT_TEXT, .places = INPUT_BODY };
static const struct input time_input = { "time", INPUT_TEXT, .places = INPUT_BODY };

const struct input *const source_put_inputs[] = { &moments_mean_input, &moments_var_input, &moments_count_input,
	&name_input, &time_input, NULL };

int
sources_check_layer(const struct request *rq, struct err *e)
{
	if (doubles_check_tracks(rq, e) < 0)
		return -1;
	if (rq->definition->averaging == AVERAGING_POOLED)
		return 0;
	return err_fail(e, ERR_BAD_PARAMETER,
	    "sources need a layer with \"averaging\" \"pooled\"; layer \"%s\" (%s) has %s averaging", rq->layer,
	    definition_kind_name(rq->definition), definition_averaging_name(rq->definition));
}

int
source_option_get(struct request *rq, struct err *e)
{
	struct option o;
	const char *name;

	if (option_find(rq, &source_input, &o, e) < 0)
		return -1;
	if (!option_given(&o))
		return 0;
	if (o.member != NULL && envelope_type(o.member) != ENVELOPE_STRING)
		return option_refuse(&source_input, &o, "the name of a source, a string", e);
	name = o.text != NULL ? o.text : envelope_text(o.member);
	if (placeholders_check_name("source", name, e) < 0 || sources_check_layer(rq, e) < 0)
		return -1;
	if (rq->sync_call != NULL)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "\"source\" cannot be given beside \"sync\": the batch of a synchronized step comes from all its "
		    "ranks");
	rq->write.updates.source = name;
	return 0;
}

int
source_put(struct request *rq, struct err *e)
{
	struct moments *totals = workspace_alloc(&rq->workspace, sizeof(*totals), e);
	size_t features;

	if (totals == NULL || sources_check_layer(rq, e) < 0 || doubles_get_moments(rq, totals, &features, e) < 0)
		return -1;
	rq->write.source.name = rq->source;
	rq->write.source.totals = totals;
	rq->write.source.features = features;
	rq->write.source.ddof = rq->definition->unbiased_running_var;
	request_write(rq, STORE_SOURCE_PUT);
	return precondition_get(rq, e);
}

int
source_delete(struct request *rq, struct err *e)
{
	if (sources_check_layer(rq, e) < 0)
		return -1;
	rq->write.source.name = rq->source;
	rq->write.source.ddof = rq->definition->unbiased_running_var;
	request_write(rq, STORE_SOURCE_DELETE);
	return precondition_get(rq, e);
}

int
source_delete_finish(struct request *rq, struct err *e)
{
	(void)e;
	rq->reply.status = 204;
	reply_revision(&rq->reply, rq->write.result.revision);
	return 0;
}

void
sources_format_head(struct buf *b, const struct store_source *source)
{
	char stamp[CLOCK_STAMP_BYTES];

	clock_second_stamp(source->time_s, stamp);
	buf_text(b, "{\"source\":");
	quote_json(b, source->name);
	buf_printf(b, ",\"count\":%" PRIu64 ",\"time\":\"%s\"", source->totals.count, stamp);
}

int
source_get(struct request *rq, struct err *e)
{
	if (sources_check_layer(rq, e) < 0)
		return -1;
	request_store(rq, STORE_SOURCES_GET);
	rq->op.sources = (struct store_sources){
		.model = rq->model, .layer = rq->layer, .name = rq->source, .memory = &rq->workspace.memory
	};
	return 0;
}

int
source_get_finish(struct request *rq, struct err *e)
{
	const struct store_source *source = rq->op.sources.entries;
	const size_t features = rq->op.sources.snapshot->statistics.features;
	struct buf *b = &rq->reply.text;

	(void)e;
	reply_expect_numbers(&rq->reply, 2 * features);
	sources_format_head(b, source);
	buf_text(b, ",\"mean\":");
	json_add_doubles(b, source->totals.mean, features, 0);
	buf_text(b, ",\"var\":");
	json_add_doubles(b, source->totals.var, features, 0);
	buf_byte(b, '}');
	reply_revision(&rq->reply, rq->op.sources.snapshot->revision);
	store_op_fini(&rq->op);
	return 0;
}
