/* SPDX-License-Identifier: MIT */
#include "handlers/reply.h"

#include <stdint.h>

#include "codec/json_write.h"
#include "codec/npy_header.h"

bool
reply_failed(const struct reply *reply)
{
	return reply->head.failed || reply->tail.failed || reply->files.failed;
}

/* A digit and a comma; and what stands around the numbers. */
#define NUMBER_BYTES_MIN ((size_t)2)
#define AROUND_BYTES ((size_t)4096)

/* So few are not worth a look. */
#define FEW_NUMBERS ((size_t)4096)

void
reply_expect_numbers(struct reply *reply, size_t count)
{
	if (count > FEW_NUMBERS)
		(void)buf_reserve(&reply->head,
		    count > SIZE_MAX / NUMBER_BYTES_MIN / 2 ? SIZE_MAX : NUMBER_BYTES_MIN * count + AROUND_BYTES);
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
reply_named_tensor(struct request *rq, const char *name, const struct tensor *t)
{
	struct reply *reply = &rq->reply;

	if (rq->answer_form == FORM_JSON)
		buf_printf(&reply->head, "{\"%s\":", name);
	reply_tensor(rq, t);
	buf_byte(&reply->tail, '}');
}

/* As text, whatever its size: parameters are small beside the tensors. */
static void
add_text(struct buf *b, const struct tensor *t)
{
	struct json_tensor_cursor cursor = { 0 };
	char *room;

	json_add_tensor_head(b, t);
	while (!cursor.done && (room = buf_reserve(b, JSON_TENSOR_ROOM)) != NULL)
		b->len += json_tensor_read(t, &cursor, room, b->size - b->len);
	buf_byte(b, '}');
}

static void
add_file(struct buf *b, const struct tensor *t)
{
	char *room = buf_reserve(b, NPY_HEADER_MAX);

	if (room != NULL)
		b->len += npy_header_format(t, room);
	buf_add(b, t->values, t->count * datatype_size(t->datatype));
}

void
reply_more(struct request *rq, const char *name, const struct tensor *t)
{
	struct reply *reply = &rq->reply;

	buf_printf(&reply->tail, ",\"%s\":", name);
	if (t == NULL)
		buf_text(&reply->tail, "null");
	else if (rq->answer_form == FORM_JSON)
		add_text(&reply->tail, t);
	else
		add_file(&reply->files, t);
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
