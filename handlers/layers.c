/* Layers: a definition is put once and then stands. */
#include "handlers/definition.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"

/* The definition that the body asks for. */
struct layer_put {
	struct definition asked;
};

int
layer_put(struct request *rq, struct err *e)
{
	struct layer_put *put = arena_alloc(&rq->arena, sizeof(*put));
	struct buf text;
	int result;

	if (put == NULL)
		return err_set_memory(e);
	rq->scratch = put;
	if (definition_parse(body_envelope(rq->body), NULL, &put->asked, e) < 0)
		return -1;
	buf_init(&text, 8192);
	definition_format(&text, &put->asked, 0);
	rq->op.definition = text.failed ? NULL : arena_text(&rq->arena, text.bytes, text.len);
	rq->op.features = put->asked.num_features;
	result = rq->op.definition == NULL ? err_set_memory(e) : 0;
	buf_fini(&text);
	request_store(rq, STORE_LAYER_CREATE);
	return result;
}

int
layer_put_finish(struct request *rq, struct err *e)
{
	const struct layer_put *put = rq->scratch;
	const struct definition *stands = rq->op.layer_state->identity->parsed;

	bool same = rq->op.created;

	if (!same && definition_same(stands, rq->op.result_features, &put->asked, &same, e) < 0)
		return -1;
	if (!same) {
		struct buf b;

		buf_init(&b, sizeof(e->detail));
		definition_format(&b, stands, rq->op.result_features);
		(void)err_set(
		    e, ERR_LAYER_DIFFERS, "layer \"%s\" stands as %.*s", rq->layer, (int)b.len, b.failed ? "" : b.bytes);
		buf_fini(&b);
		return -1;
	}
	definition_format(&rq->reply.head, stands, rq->op.result_features);
	reply_revision(&rq->reply, rq->op.revision);
	rq->reply.status = rq->op.created ? 201 : 200;
	rq->reply.has_location = rq->op.created;
	return 0;
}

int
layer_get(struct request *rq, struct err *e)
{
	(void)e;
	definition_format(&rq->reply.head, rq->definition, rq->state->statistics.features);
	reply_revision(&rq->reply, rq->state->revision);
	return 0;
}

int
layer_delete(struct request *rq, struct err *e)
{
	request_store(rq, STORE_LAYER_DELETE);
	return request_precondition(rq, e);
}
