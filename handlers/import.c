/* SPDX-License-Identifier: MIT */
/* An imported file has ended: everything is written in one change, and the answer tells what became of its tensors. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/quote.h"
#include "handlers/handlers.h"
#include "handlers/import.h"

/* A layer in the answer beside its name: {"name":"","created":false,"revision":18446744073709551615}, */
#define LAYER_BYTES ((size_t)80)

/* Around the list of tensors, and what is reserved for the end of every answer. */
#define AROUND_BYTES ((size_t)256)

static int
compare_layers(const void *a, const void *b)
{
	return strcmp((*(struct import_layer *const *)a)->name, (*(struct import_layer *const *)b)->name);
}

static int
refuse_nothing(const struct request *rq, struct err *e)
{
	return err_fail(e, ERR_NO_SUCH_MODEL,
	    "there is no model \"%s\", and the file has no batch normalization from which to create it: no tensor "
	    "\"LAYER.running_mean\" that is a list",
	    rq->model);
}

/* Writes the end of the answer: the names of the tensors that were dropped, in the order of the file. */
static void
list_left_out(struct request *rq)
{
	const struct safetensors *file = safetensors_body_file(rq->file);
	const size_t count = safetensors_count(file);
	struct buf *b = &rq->reply.tail;
	const char *separator = "";
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		const struct safetensors_entry t = safetensors_entry(file, i);

		bytes += t.kept ? 0 : t.name.len + 3;
	}
	(void)buf_reserve(b, bytes + AROUND_BYTES); /* once, unless names have escapes */
	buf_text(b, "],\"left_out\":[");
	for (size_t i = 0; i < count; i++) {
		const struct safetensors_entry t = safetensors_entry(file, i);

		if (t.kept)
			continue;
		buf_text(b, separator);
		quote_json_text(b, t.name.bytes, t.name.len);
		separator = ",";
	}
	buf_text(b, "]}");
}

/* Makes room for the beginning of the answer, which is written once all is stored. */
static void
reserve_layers(struct request *rq, const struct import *im)
{
	size_t bytes = 16;

	for (size_t i = 0; i < im->count; i++)
		bytes += strlen(im->layers[i]->name) + LAYER_BYTES;
	(void)buf_reserve(&rq->reply.text, bytes);
}

static void
list_layers(struct request *rq, const struct import *im)
{
	struct buf *b = &rq->reply.text;

	buf_text(b, "{\"layers\":[");
	for (size_t i = 0; i < im->count; i++) {
		const struct import_layer *layer = im->layers[i];

		buf_text(b, i == 0 ? "{\"name\":\"" : ",{\"name\":\"");
		buf_text(b, layer->name);
		buf_text(b, "\",\"created\":");
		buf_text(b, layer->create != NULL && layer->create->result.created ? "true" : "false");
		buf_text(b, ",\"revision\":");
		buf_uint(b, layer->write != NULL ? layer->write->result.revision : layer->revision);
		buf_byte(b, '}');
	}
}

int
import_start(struct request *rq, struct err *e)
{
	struct import *im = rq->scratch;
	struct store_write *writes, *end;

	if (im->count == 0 && !im->model_exists)
		return refuse_nothing(rq, e);
	qsort(im->layers, im->count, sizeof(struct import_layer *), compare_layers);
	writes = end = workspace_array(&rq->workspace, im->count * IMPORT_WRITES_MAX, sizeof(*writes), e);
	if (writes == NULL)
		return -1;
	for (size_t i = 0; i < im->count; i++)
		if (import_check_values(im->layers[i], e) < 0 || import_write(rq, im->layers[i], &end, e) < 0)
			return -1;
	list_left_out(rq);
	reserve_layers(rq, im);
	if (end == writes)
		return import_finish(rq, e);
	request_store(rq, STORE_CHANGE);
	rq->op.change.writes = writes;
	rq->op.change.count = (size_t)(end - writes);
	return 0;
}

int
import_finish(struct request *rq, struct err *e)
{
	(void)e;
	list_layers(rq, rq->scratch);
	return 0;
}
