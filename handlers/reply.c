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
reply_named_tensor(struct reply *reply, const char *name, const struct tensor *t)
{
	buf_printf(&reply->head, "{\"%s\":", name);
	reply_tensor(reply, t);
	buf_byte(&reply->tail, '}');
}

/* As text, whatever its size: parameters are small beside the tensors. */
static void
add_tensor(struct buf *b, const struct tensor *t)
{
	struct json_tensor_cursor cursor = { 0 };
	char *room;

	json_add_tensor_head(b, t);
	while (!cursor.done && (room = buf_reserve(b, JSON_TENSOR_ROOM)) != NULL)
		b->len += json_tensor_read(t, &cursor, room, b->size - b->len);
	buf_byte(b, '}');
}

void
reply_more(struct reply *reply, const char *name, const struct tensor *t)
{
	buf_printf(&reply->tail, ",\"%s\":", name);
	if (t == NULL) {
		buf_text(&reply->tail, "null");
		return;
	}
	add_tensor(&reply->tail, t);
	reply->more[reply->more_count++] = t;
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
