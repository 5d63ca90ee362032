#include "handlers/reply.h"

#include "codec/json_write.h"
#include "codec/npy_header.h"

bool
reply_failed(const struct reply *reply)
{
	return reply->head.failed || reply->tail.failed;
}

void
reply_revision(struct reply *reply, uint64_t revision)
{
	reply->has_revision = true;
	reply->revision = revision;
}

void
reply_tensor(struct request *rq, const struct tensor *t)
{
	struct buf *head = &rq->reply.head;
	char *room;

	rq->reply.tensor = t;
	if (rq->answer_form == FORM_JSON)
		json_add_tensor_head(head, t);
	else if ((room = buf_reserve(head, NPY_HEADER_MAX)) != NULL)
		head->len += npy_header_format(t, room);
}

void
reply_end(struct reply *reply)
{
	buf_byte(&reply->tail, '}');
}

void
reply_counts(struct reply *reply, uint64_t num_batches_tracked, uint64_t revision)
{
	buf_byte(&reply->tail, reply->tensor != NULL ? ',' : '{');
	buf_text(&reply->tail, "\"num_batches_tracked\":");
	buf_uint(&reply->tail, num_batches_tracked);
	buf_text(&reply->tail, ",\"revision\":");
	buf_uint(&reply->tail, revision);
	reply->has_count = true;
	reply->num_batches_tracked = num_batches_tracked;
	reply_revision(reply, revision);
}
