/* SPDX-License-Identifier: MIT */
#include "handlers/call_options.h"

#include <stdio.h>
#include <string.h>

#include "layer/definition.h"

#define TIMEOUT_MS_DEFAULT 10000

const struct input sync_input = { "sync", INPUT_OBJECT, .places = INPUT_ANYWHERE };

static const struct input step_input = { "step", INPUT_TEXT, INPUT_BODY, "sync", .needed = true };
static const struct input world_size_input = { "world_size", INPUT_UINT, INPUT_BODY, "sync", .min = 1,
	.max = SYNC_WORLD_MAX, .needed = true };
/* Below world_size. */
static const struct input rank_input = { "rank", INPUT_UINT, INPUT_BODY, "sync", .max = SYNC_WORLD_MAX - 1,
	.needed = true };
static const struct input timeout_input = { "timeout_ms", INPUT_UINT, INPUT_BODY, "sync", .min = 1,
	.max = SYNC_TIMEOUT_MS_MAX };
static const struct input *const members[] = { &step_input, &world_size_input, &rank_input, &timeout_input, NULL };

static int
check_layer(const struct request *rq, struct err *e)
{
	const struct definition *d = rq->definition;

	if (rq->digest != NULL)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "\"sync\" identifies the step, so Idempotency-Key is not accepted beside it: leave it out");
	if (d->kind != KIND_BATCH_NORM)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "\"sync\" needs a batch_norm layer; %s normalizes every sample alone", definition_kind_name(d));
	if (d->virtual_batch_size != 0 || d->shuffle || d->renorm)
		return err_fail(
		    e, ERR_BAD_PARAMETER, "\"sync\" needs a layer without virtual_batch_size, shuffle and renorm");
	return 0;
}

/* A string, or a whole number in digits, which are taken as a string. */
static int
read_step(struct request *rq, const struct cJSON *object, struct err *e)
{
	const struct option o = { .member = envelope_get(object, step_input.name) };
	const bool number = envelope_type(o.member) == ENVELOPE_NUMBER;
	const char *text = envelope_type(o.member) == ENVELOPE_STRING ? envelope_text(o.member) :
	    number                                                    ? envelope_text(o.member) :
									"";
	const size_t len = strlen(text);
	char wanted[80];

	if (len == 0 || len > SYNC_STEP_MAX || (number && strspn(text, "0123456789") != len)) {
		snprintf(wanted, sizeof(wanted), "a string of 1 to %d bytes, or a whole number in digits alone",
		    SYNC_STEP_MAX);
		return option_refuse(&step_input, &o, wanted, e);
	}
	rq->sync_call->step = arena_text(&rq->workspace.arena, text, len);
	return rq->sync_call->step == NULL ? err_fail_memory(e) : 0;
}

static int
read_call(void *arg, const struct cJSON *object, struct err *e)
{
	struct request *rq = arg;
	struct input rank = rank_input;
	uint64_t n = 0, world_size = 0, timeout_ms = TIMEOUT_MS_DEFAULT;

	if (envelope_type(object) != ENVELOPE_OBJECT)
		return option_refuse(&sync_input, &(struct option){ .member = object },
		    "an object with \"step\", \"rank\" and \"world_size\"", e);
	if (inputs_check_members(object, members, "\"sync\"", e) < 0 || read_step(rq, object, e) < 0 ||
	    option_get_member(object, &world_size_input, &world_size, e) < 0)
		return -1;
	rank.max = world_size - 1;
	if (option_get_member(object, &rank, &n, e) < 0 ||
	    option_get_member(object, &timeout_input, &timeout_ms, e) < 0)
		return -1;
	rq->sync_call->world_size = (unsigned)world_size;
	rq->sync_call->rank = (unsigned)n;
	rq->sync_call->timeout_ms = (unsigned)timeout_ms;
	return 0;
}

int
sync_options_get(struct request *rq, struct err *e)
{
	struct option o;

	if (option_find(rq, &sync_input, &o, e) < 0)
		return -1;
	if (!option_given(&o))
		return 0;
	rq->sync_call = workspace_alloc(&rq->workspace, sizeof(*rq->sync_call), e);
	if (rq->sync_call == NULL)
		return -1;
	rq->sync_call->model = rq->state->identity->model;
	rq->sync_call->layer_id = rq->state->identity->id;
	return option_read_object(&sync_input, &o, read_call, rq, e) < 0 ? -1 : check_layer(rq, e);
}
