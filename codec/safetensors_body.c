/* SPDX-License-Identifier: MIT */
#include "codec/safetensors_body.h"

#include <stdlib.h>

#include "base/buf.h"

/* From here on the parts of a header are left to computing threads: the end of one with 100,000 names takes 10 ms. */
#define LONG_HEADER_BYTES ((size_t)64 << 10)

struct safetensors_body {
	struct safetensors *file;
	struct coding_decoder *decoder; /* NULL: no coding */
	bool goes_on;                   /* safetensors_body_go_on was called */
	size_t header_bytes;            /* decoded, before the header was complete */
	struct buf held;                /* decoded bytes behind the header, while it waits */
};

bool
safetensors_body_waits(const struct safetensors_body *b)
{
	return !b->goes_on && safetensors_has_header(b->file);
}

bool
safetensors_body_is_long(const struct safetensors_body *b)
{
	return b->header_bytes >= LONG_HEADER_BYTES && !safetensors_has_header(b->file);
}

/* Feeds decoded bytes to the reader. */
static int
feed(struct safetensors_body *b, const char *bytes, size_t len, size_t *taken, struct err *e)
{
	b->header_bytes += safetensors_has_header(b->file) ? 0 : len;
	return safetensors_feed(b->file, bytes, len, taken, e);
}

/* Holds decoded bytes back: at most what a call of coding_decode makes. */
static int
hold(struct safetensors_body *b, const char *bytes, size_t len, struct err *e)
{
	buf_add(&b->held, bytes, len);
	return b->held.failed ? err_fail_memory(e) : 0;
}

/* Takes bytes without the coding: a coding_sink, which has to take all. */
static int
take(void *arg, const char *bytes, size_t len, struct err *e)
{
	struct safetensors_body *b = arg;
	size_t taken = 0;

	if (!safetensors_body_waits(b) && feed(b, bytes, len, &taken, e) < 0)
		return -1;
	return taken < len ? hold(b, bytes + taken, len - taken, e) : 0;
}

struct safetensors_body *
safetensors_body_new(enum coding coding, const struct safetensors_limits *limits, struct budget_share *memory)
{
	struct safetensors_body *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	buf_init(&b->held, SIZE_MAX);
	buf_count(&b->held, memory);
	if (coding != CODING_IDENTITY)
		b->decoder = coding_decoder_new(coding, take, b, ERR_BAD_SAFETENSORS);
	b->file = safetensors_new(limits, memory);
	if (b->file != NULL && (b->decoder != NULL || coding == CODING_IDENTITY))
		return b;
	safetensors_body_free(b);
	return NULL;
}

void
safetensors_body_free(struct safetensors_body *b)
{
	if (b == NULL)
		return;
	safetensors_free(b->file);
	coding_decoder_free(b->decoder);
	buf_fini(&b->held);
	free(b);
}

int
safetensors_body_feed(struct safetensors_body *b, const char *bytes, size_t len, size_t *taken, struct err *e)
{
	*taken = len;
	if (b->decoder == NULL)
		return feed(b, bytes, len, taken, e);
	return coding_decode(b->decoder, bytes, len, taken, e);
}

int
safetensors_body_go_on(struct safetensors_body *b, struct err *e)
{
	size_t taken;
	int result;

	b->goes_on = true;
	result = b->held.len == 0 ? 0 : safetensors_feed(b->file, b->held.bytes, b->held.len, &taken, e);
	buf_fini(&b->held);
	return result;
}

int
safetensors_body_finish(struct safetensors_body *b, struct err *e)
{
	if (b->decoder != NULL && coding_decoder_finish(b->decoder, e) < 0)
		return -1;
	return safetensors_finish(b->file, e);
}

struct safetensors *
safetensors_body_file(struct safetensors_body *b)
{
	return b->file;
}
