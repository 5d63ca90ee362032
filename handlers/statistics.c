/* SPDX-License-Identifier: MIT */
/* GET, PUT and DELETE .../statistics: read, import and reset a layer's running statistics. */
#include <inttypes.h>

#include "codec/json_write.h"
#include "layer/definition.h"
#include "handlers/doubles.h"
#include "handlers/handlers.h"
#include "handlers/input.h"
#include "handlers/reply.h"
#include "handlers/state_digest.h"

static const struct input mean_input = { "running_mean", DOUBLES_PER_FEATURE };
static const struct input var_input = { "running_var", DOUBLES_PER_FEATURE };
static const struct input batches_input = { "num_batches_tracked", DOUBLES_COUNT };

const struct input *const statistics_put_inputs[] = { &mean_input, &var_input, &batches_input, &statistics_count_input,
	&digest_shown_input, &revision_shown_input, NULL };

const struct input *const statistics_get_inputs[] = { &version_input, NULL };

/* Writes statistics up to their revision; NULL for `mean` and `var` means the initial 0 and 1. */
static void
format_statistics(struct request *rq, const struct statistics *s)
{
	struct buf *b = &rq->reply.text;

	reply_expect_numbers(&rq->reply, 2 * s->features);
	buf_text(b, "{\"running_mean\":");
	json_add_double_tensor(b, s->mean, s->features, 0);
	buf_text(b, ",\"running_var\":");
	json_add_double_tensor(b, s->var, s->features, 1);
	buf_printf(b, ",\"num_batches_tracked\":%" PRIu64, s->num_batches_tracked);
	if (rq->definition->averaging == AVERAGING_POOLED)
		buf_printf(b, ",\"count\":%" PRIu64, s->count);
	if (rq->definition->averaging == AVERAGING_DECAYED) {
		buf_text(b, ",\"count\":");
		json_add_double(b, s->decayed_count);
	}
}

static void
end_statistics(struct request *rq, uint64_t revision)
{
	buf_printf(&rq->reply.tail, ",\"revision\":%" PRIu64 "}", revision);
	reply_revision(&rq->reply, revision);
}

int
statistics_get(struct request *rq, struct err *e)
{
	if (doubles_check_tracks(rq, e) < 0)
		return -1;
	format_statistics(rq, &rq->state->statistics);
	state_digest_show(&rq->reply.text, rq->state);
	end_statistics(rq, rq->state->revision);
	reply_state(&rq->reply, rq->state);
	return 0;
}

/* These averagings weigh by the number of values: without it the next batch would replace the import. */
static int
parse_count(const struct request *rq, struct statistics *s, struct err *e)
{
	struct option count;

	if (option_find(rq, &statistics_count_input, &count, e) < 0)
		return -1;
	if (!option_given(&count))
		return err_fail(e, ERR_BAD_PARAMETER,
		    "the statistics of a %s layer need a \"count\": the number of values per feature in them",
		    definition_averaging_name(rq->definition));
	if (doubles_read_weight(&count, rq->definition, s, e) < 0)
		return -1;
	return doubles_check_weight(s, statistics_count_input.name, e);
}

static int
parse_statistics(struct request *rq, struct statistics *s, struct err *e)
{
	size_t var_count;

	*s = (struct statistics){ 0 };
	if (doubles_get(rq, &mean_input, &s->mean, &s->features, e) < 0 ||
	    doubles_get(rq, &var_input, &s->var, &var_count, e) < 0 ||
	    doubles_check_features("running_mean", s->features, rq->state->statistics.features, e) < 0 ||
	    doubles_check_features("running_var", var_count, s->features, e) < 0 ||
	    doubles_check_variance("running_var", s->var, var_count, e) < 0 ||
	    option_get(rq, &batches_input, &s->num_batches_tracked, e) < 0)
		return -1;
	return definition_merges_one(rq->definition) ? parse_count(rq, s, e) : 0;
}

int
statistics_put(struct request *rq, struct err *e)
{
	struct statistics *s = arena_alloc(&rq->workspace.arena, sizeof(*s));

	if (s == NULL)
		return err_fail_memory(e);
	if (doubles_check_tracks(rq, e) < 0 || parse_statistics(rq, s, e) < 0)
		return -1;
	format_statistics(rq, s);
	rq->write.statistics = s;
	request_write(rq, STORE_STATISTICS_PUT);
	return precondition_get(rq, e);
}

int
statistics_put_finish(struct request *rq, struct err *e)
{
	(void)e;
	end_statistics(rq, rq->write.result.revision);
	return 0;
}

int
statistics_reset(struct request *rq, struct err *e)
{
	if (doubles_check_tracks(rq, e) < 0)
		return -1;
	format_statistics(rq, &(struct statistics){ .features = rq->state->statistics.features });
	request_write(rq, STORE_STATISTICS_RESET);
	return precondition_get(rq, e);
}

int
statistics_reset_finish(struct request *rq, struct err *e)
{
	(void)e;
	/* Another request has fixed the number of features meanwhile. */
	if (rq->write.result.features != rq->state->statistics.features) {
		buf_clear(&rq->reply.text);
		format_statistics(rq, &(struct statistics){ .features = rq->write.result.features });
	}
	end_statistics(rq, rq->write.result.revision);
	return 0;
}
