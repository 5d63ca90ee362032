/* SPDX-License-Identifier: MIT */
#include "handlers/reply.h"

#include <assert.h>
#include <stdint.h>

#include "codec/form.h"

bool
reply_failed(const struct reply *reply)
{
	return reply->text.failed || reply->tail.failed;
}

/* A number has a digit and a comma at least. The answer has other text around the numbers. */
#define NUMBER_BYTES_MIN ((size_t)2)
#define AROUND_BYTES ((size_t)4096)

/* Up to here memory is not reserved ahead. */
#define FEW_NUMBERS ((size_t)4096)

void
reply_expect_numbers(struct reply *reply, size_t count)
{
	if (count > FEW_NUMBERS)
		(void)buf_reserve(&reply->text,
		    count > SIZE_MAX / NUMBER_BYTES_MIN / 2 ? SIZE_MAX : NUMBER_BYTES_MIN * count + AROUND_BYTES);
}

void
reply_revision(struct reply *reply, uint64_t revision)
{
	reply->has_revision = true;
	reply->revision = revision;
}

void
reply_state(struct reply *reply, const struct snapshot *state)
{
	reply_revision(reply, state->revision);
	reply->has_version = true;
	reply->version = state->version;
}

void
reply_age(struct reply *reply, uint64_t age_us)
{
	reply->has_age = age_us > 0;
	reply->age_s = age_us / 1000000;
}

int
reply_expect_parts(struct reply *reply, struct workspace *ws, size_t count, struct err *e)
{
	assert(reply->part_count == 0);
	if (count <= reply->parts_max)
		return 0;
	reply->parts = workspace_array(ws, count, sizeof(*reply->parts), e);
	if (reply->parts == NULL) {
		reply->parts = reply->few;
		return -1;
	}
	reply->parts_max = count;
	return 0;
}

void
reply_part(struct reply *reply, const struct tensor *t, bool as_text)
{
	assert(reply->part_count < reply->parts_max);
	reply->parts[reply->part_count++] = (struct reply_part){ t, reply->text.len, as_text };
}

void
reply_tensor_text(struct reply *reply, const struct tensor *t)
{
	struct buf *b = &reply->text;
	struct json_tensor_cursor cursor = { 0 };
	char *room;

	while (!cursor.done && (room = buf_reserve(b, JSON_TENSOR_ROOM)) != NULL)
		b->len += form_ops(reply->form)->values(t, &cursor, room, b->size - b->len);
}

/* Begins the document's next member. */
static void
begin_member(struct buf *b, const char *name)
{
	buf_byte(b, b->len == 0 ? '{' : ',');
	buf_printf(b, "\"%s\":", name);
}

void
reply_tensor(struct reply *reply, const char *name, const struct tensor *t)
{
	const struct form_ops *form = form_ops(reply->form);
	const bool is_member = form->document && name != NULL;

	if (is_member)
		begin_member(&reply->text, name);
	if (t == NULL && form->document)
		buf_text(&reply->text, "null");
	if (t == NULL)
		return;
	form->begin(&reply->text, t);
	reply_part(reply, t, form->values != NULL);
	if (is_member) /* else other members follow in the tensor's own object */
		buf_byte(&reply->text, '}');
}

void
reply_end(struct reply *reply)
{
	if (form_ops(reply->form)->document)
		buf_byte(&reply->tail, '}');
}

void
reply_counts(struct reply *reply, uint64_t num_batches_tracked, uint64_t revision)
{
	if (form_ops(reply->form)->document) {
		buf_byte(&reply->tail, reply->part_count > 0 ? ',' : '{');
		buf_text(&reply->tail, "\"num_batches_tracked\":");
		buf_uint(&reply->tail, num_batches_tracked);
		buf_text(&reply->tail, ",\"revision\":");
		buf_uint(&reply->tail, revision);
	}
	reply->has_count = true;
	reply->num_batches_tracked = num_batches_tracked;
	reply_revision(reply, revision);
}

void
reply_seed(struct reply *reply, uint64_t seed)
{
	if (form_ops(reply->form)->document) {
		buf_text(&reply->tail, ",\"seed\":");
		buf_uint(&reply->tail, seed);
	}
	reply->has_seed = true;
	reply->seed = seed;
}
