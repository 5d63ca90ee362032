/* SPDX-License-Identifier: MIT */
/* .npy as a form: a file for each tensor, one after another (npy.h). */
#include <assert.h>
#include <stdlib.h>

#include "codec/body.h"
#include "codec/form.h"
#include "codec/npy.h"

struct reader {
	size_t count, now; /* files; the one that comes now */
	uint64_t bytes;    /* that have come */
	struct npy *files[];
};

static void
close_reader(void *arg)
{
	struct reader *r = arg;

	for (size_t i = 0; r != NULL && i < r->count; i++)
		npy_free(r->files[i]);
	free(r);
}

static void *
open_reader(const struct body_options *o)
{
	struct reader *r = calloc(1, sizeof(*r) + o->tensors * sizeof(struct npy *));

	assert(o->tensors > 0);
	if (r == NULL)
		return NULL;
	r->count = o->tensors;
	for (size_t i = 0; i < r->count; i++)
		if ((r->files[i] = npy_new(o->bytes_max, o->memory)) == NULL) {
			close_reader(r);
			return NULL;
		}
	return r;
}

static int
feed(void *arg, const char *bytes, size_t len, struct err *e)
{
	struct reader *r = arg;
	size_t taken;

	r->bytes += len;
	for (; r->now + 1 < r->count && len > 0; bytes += taken, len -= taken) {
		if (npy_take(r->files[r->now], bytes, len, &taken, e) < 0)
			return -1;
		if (taken < len)
			npy_set_start(r->files[++r->now], r->bytes - (len - taken));
	}
	return npy_feed(r->files[r->now], bytes, len, e);
}

static int
finish(void *arg, struct err *e)
{
	struct reader *r = arg;

	for (size_t i = 0; i < r->count; i++) {
		if (i > r->now)
			npy_set_start(r->files[i], r->bytes); /* nothing of this file has come */
		if (npy_finish(r->files[i], e) < 0)
			return -1;
	}
	return 0;
}

static struct tensor *
find_tensor(void *arg, size_t slot)
{
	struct reader *r = arg;

	return slot < r->count ? npy_tensor(r->files[slot]) : NULL;
}

static bool
holds(enum datatype datatype)
{
	return datatype != DATATYPE_BOOL; /* that is for masks alone, which no answer has */
}

static void
begin(struct buf *b, const struct tensor *t)
{
	char *room = buf_reserve(b, NPY_HEADER_MAX);

	if (room != NULL)
		b->len += npy_header_format(t, room);
}

const struct form_ops form_npy = {
	.media_type = "application/x-npy",
	.damaged = ERR_BAD_NPY,
	.open = open_reader,
	.close = close_reader,
	.feed = feed,
	.finish = finish,
	.tensor = find_tensor,
	.holds = holds,
	.begin = begin,
};
