#include "handlers/reply.h"

#include "codec/json_write.h"

void
reply_revision(struct reply *reply, uint64_t revision)
{
	reply->has_revision = true;
	reply->revision = revision;
}

void
reply_tensor(struct reply *reply, const struct tensor *t)
{
	json_add_tensor_head(&reply->head, t);
	reply->tensor = t;
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

void
reply_seed(struct reply *reply, uint64_t seed)
{
	buf_text(&reply->tail, ",\"seed\":");
	buf_uint(&reply->tail, seed);
	reply->has_seed = true;
	reply->seed = seed;
}
