/* SPDX-License-Identifier: MIT */
#include "handlers/reply.h"

#include <stdint.h>

#include "codec/form.h"

bool
reply_failed(const struct reply *reply)
{
	return reply->head.failed || reply->tail.failed;
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
reply_state(struct reply *reply, const struct snapshot *state)
{
	reply_revision(reply, state->revision);
	reply->has_version = true;
	reply->version = state->version;
}

void
reply_tensor(struct reply *reply, const char *name, const struct tensor *t)
{
	reply->tensor = t;
	form_ops(reply->form)->begin(&reply->head, &reply->tail, name, t);
}

void
reply_more(struct reply *reply, const char *name, const struct tensor *t)
{
	form_ops(reply->form)->more(&reply->tail, name, t);
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
		buf_byte(&reply->tail, reply->tensor != NULL ? ',' : '{');
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
