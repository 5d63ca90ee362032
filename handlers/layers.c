/* SPDX-License-Identifier: MIT */
/* Layers: a definition is put once and never changes. */
#include "layer/definition.h"
#include "handlers/handlers.h"
#include "handlers/input.h"
#include "handlers/reply.h"

const struct input *const layer_get_inputs[] = { &version_input, NULL };

int
layer_put(struct request *rq, struct err *e)
{
	struct definition *asked = arena_alloc(&rq->workspace.arena, sizeof(*asked));
	struct buf *text = &rq->reply.text; /* what is answered when it is created */

	if (asked == NULL)
		return err_fail_memory(e);
	rq->scratch = asked;
	if (definition_parse(body_envelope(rq->body), NULL, asked, e) < 0)
		return -1;
	definition_format(text, asked, 0);
	rq->write.create.definition = text->failed ? NULL : arena_text(&rq->workspace.arena, text->bytes, text->len);
	if (rq->write.create.definition == NULL)
		return err_fail_memory(e);
	buf_clear(text);
	definition_show(text, asked, 0, false);
	rq->write.create.features = asked->num_features;
	request_write(rq, STORE_LAYER_CREATE);
	return 0;
}

int
layer_put_finish(struct request *rq, struct err *e)
{
	const struct definition *stands = rq->write.result.snapshot->identity->parsed;
	struct buf *text = &rq->reply.text;

	reply_revision(&rq->reply, rq->write.result.revision);
	if (rq->write.result.created) {
		rq->reply.status = 201;
		rq->reply.has_location = true;
		return 0;
	}
	buf_clear(text);
	definition_differences(text, stands, rq->write.result.features, rq->scratch);
	if (text->len > 0 && !text->failed)
		return err_fail(e, ERR_LAYER_DIFFERS, "layer \"%s\" exists with another definition: %.*s", rq->layer,
		    (int)text->len, text->bytes);
	definition_show(text, stands, rq->write.result.features, rq->write.result.frozen);
	return text->failed ? err_fail_memory(e) : 0;
}

int
layer_get(struct request *rq, struct err *e)
{
	(void)e;
	definition_show(&rq->reply.text, rq->definition, rq->state->statistics.features, rq->state->frozen);
	reply_state(&rq->reply, rq->state);
	return 0;
}

int
layer_delete(struct request *rq, struct err *e)
{
	request_write(rq, STORE_LAYER_DELETE);
	return precondition_get(rq, e);
}
