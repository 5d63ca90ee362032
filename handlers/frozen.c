/* SPDX-License-Identifier: MIT */
/*
 * GET and PUT .../frozen, of a layer, and PUT of a model for all of its layers. While a layer is frozen the store
 * refuses all that would move its statistics, and train normalizes by them.
 */
#include <inttypes.h>

#include "handlers/handlers.h"
#include "handlers/option.h"
#include "handlers/reply.h"

static const struct input frozen_input = { "frozen", INPUT_BOOL, INPUT_BODY, .needed = true };

const struct input *const frozen_inputs[] = { &frozen_input, &revision_shown_input, NULL };
const struct input *const model_frozen_inputs[] = { &frozen_input, NULL };

static void
begin(struct request *rq, bool frozen)
{
	buf_printf(&rq->reply.text, "{\"frozen\":%s", frozen ? "true" : "false");
}

static void
end(struct request *rq, const char *name, uint64_t value)
{
	buf_printf(&rq->reply.tail, ",\"%s\":%" PRIu64 "}", name, value);
}

int
frozen_get(struct request *rq, struct err *e)
{
	(void)e;
	begin(rq, rq->state->frozen);
	end(rq, "revision", rq->state->revision);
	reply_revision(&rq->reply, rq->state->revision);
	return 0;
}

static int
put(struct request *rq, enum store_write_kind kind, struct err *e)
{
	if (option_get_bool(rq, &frozen_input, &rq->write.frozen, e) < 0)
		return -1;
	begin(rq, rq->write.frozen);
	request_write(rq, kind);
	return 0;
}

int
frozen_put(struct request *rq, struct err *e)
{
	return put(rq, STORE_FREEZE, e) < 0 ? -1 : precondition_get(rq, e);
}

int
frozen_put_finish(struct request *rq, struct err *e)
{
	(void)e;
	end(rq, "revision", rq->write.result.revision);
	reply_revision(&rq->reply, rq->write.result.revision);
	return 0;
}

int
model_frozen_put(struct request *rq, struct err *e)
{
	return put(rq, STORE_MODEL_FREEZE, e);
}

int
model_frozen_put_finish(struct request *rq, struct err *e)
{
	(void)e;
	end(rq, "layers", rq->write.result.layers);
	return 0;
}
