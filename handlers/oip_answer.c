/* SPDX-License-Identifier: MIT */
/*
 * The answer to a call of the Open Inference Protocol:
 *
 *     {"model_name":"m","model_version":"live","id":"7","outputs":[
 *      {"name":"bn1","datatype":"FP32","shape":[2],"parameters":{"revision":3,"binary_data_size":8}}]}  8 bytes
 *
 * An output in JSON has parameters only in mode train: Triton's client for C++ takes every output that has parameters
 * for binary, and would find no bytes.
 *
 * If an output is binary, the document's length must be known before its first byte is sent, so the values of outputs
 * in JSON are written into it at once. Otherwise they are written as the client takes them.
 */
#include <string.h>

#include "base/quote.h"
#include "codec/form.h"
#include "codec/json_write.h"
#include "handlers/oip_infer.h"
#include "handlers/oip_version.h"
#include "handlers/reply.h"
#include "handlers/request_memory.h"

/* Around the outputs; and around an output's name, shape and values, with the numbers of its parameters. */
#define AROUND_BYTES ((size_t)128)
#define OUTPUT_BYTES ((size_t)224)
#define EXTENT_BYTES ((size_t)BUF_UINT_BYTES + 1)

/* A character of a JSON string may take so many bytes, as \u0000 does. */
#define QUOTED_MAX ((size_t)6)

static const struct tensor *
tensor_of(const struct oip_output *out)
{
	return out->layer->input->tensor;
}

static size_t
bytes_of(const struct tensor *t)
{
	return t->count * datatype_size(t->datatype);
}

static bool
is_binary(const struct oip *o)
{
	for (size_t i = 0; i < o->output_count; i++)
		if (o->outputs[i].binary)
			return true;
	return false;
}

static int
check_output(const struct oip_output *out, struct err *e)
{
	const enum datatype datatype = tensor_of(out)->datatype;

	if (out->binary || datatype_is_textual(datatype))
		return 0;
	return err_fail(e, ERR_NOT_ACCEPTABLE,
	    "output \"%s\" is %s, which cannot be written in JSON; set the parameter \"binary_data\" of the output, or "
	    "\"binary_data_output\" of the request",
	    out->layer->input->name, datatype_name(datatype));
}

/* The most bytes of the document without values that are written as the client takes them. */
static size_t
document_bytes(const struct request *rq, const struct oip *o, bool binary)
{
	size_t bytes = AROUND_BYTES + strlen(rq->model) + (o->id != NULL ? QUOTED_MAX * strlen(o->id) : 0);

	for (size_t i = 0; i < o->output_count; i++) {
		const struct oip_output *out = &o->outputs[i];

		bytes += OUTPUT_BYTES + STORE_NAME_MAX + EXTENT_BYTES * tensor_of(out)->rank;
		if (binary && !out->binary)
			bytes += json_tensor_bytes_max(tensor_of(out));
	}
	return bytes;
}

int
oip_expect_answer(struct request *rq, const struct oip *o, struct err *e)
{
	const bool binary = is_binary(o);
	size_t parts = 0;

	for (size_t i = 0; i < o->output_count; i++) {
		if (check_output(&o->outputs[i], e) < 0)
			return -1;
		parts += !binary || o->outputs[i].binary;
	}
	if (reply_expect_parts(&rq->reply, &rq->workspace, parts, e) < 0)
		return -1;
	if (buf_reserve(&rq->reply.text, document_bytes(rq, o, binary)) == NULL)
		return request_refuse_reply(rq);
	return 0;
}

static void
add_number(struct buf *b, const char *name, uint64_t number)
{
	buf_text(b, name);
	buf_uint(b, number);
}

static void
add_parameters(struct buf *b, const struct oip *o, const struct oip_output *out)
{
	const struct oip_layer *l = out->layer;

	if (!o->train && !out->binary)
		return;
	add_number(b, ",\"parameters\":{\"revision\":", l->revision);
	if (o->train)
		add_number(b, ",\"num_batches_tracked\":", l->num_batches_tracked);
	if (o->train && l->call.definition->shuffle)
		add_number(b, ",\"seed\":", o->seed);
	if (out->binary)
		add_number(b, ",\"binary_data_size\":", bytes_of(tensor_of(out)));
	buf_byte(b, '}');
}

static void
add_output(struct reply *reply, const struct oip *o, const struct oip_output *out, bool binary)
{
	const struct tensor *t = tensor_of(out);
	struct buf *b = &reply->text;

	buf_text(b, "{\"name\":\"");
	buf_text(b, out->layer->input->name); /* a layer's name needs no escapes */
	buf_text(b, "\",\"datatype\":\"");
	buf_text(b, datatype_name(t->datatype));
	buf_text(b, "\",\"shape\":[");
	for (unsigned i = 0; i < t->rank; i++)
		add_number(b, i == 0 ? "" : ",", t->shape[i]);
	buf_byte(b, ']');
	add_parameters(b, o, out);
	if (!out->binary) {
		buf_text(b, ",\"data\":");
		if (binary)
			reply_tensor_text(reply, t);
		else
			reply_part(reply, t, true);
	}
	buf_byte(b, '}');
}

/* What the headers say: of the one state, or the one version. */
static void
add_headers(struct reply *reply, const struct oip *o)
{
	const struct oip_layer *only = o->count == 1 ? o->layers : NULL;

	reply->has_version = true;
	reply->version = o->states[0]->version;
	if (only != NULL)
		reply_revision(reply, only->revision);
	if (only == NULL || !o->train)
		return;
	reply->has_count = true;
	reply->num_batches_tracked = only->num_batches_tracked;
	reply->has_seed = only->call.definition->shuffle;
	reply->seed = o->seed;
}

void
oip_answer(struct request *rq, const struct oip *o)
{
	const bool binary = is_binary(o);
	struct reply *reply = &rq->reply;
	struct buf *b = &reply->text;

	buf_text(b, "{\"model_name\":\"");
	buf_text(b, rq->model);
	buf_text(b, "\",\"model_version\":");
	oip_version_add(b, o->states[0]->version);
	if (o->id != NULL) {
		buf_text(b, ",\"id\":");
		quote_json_text(b, o->id, strlen(o->id));
	}
	buf_text(b, ",\"outputs\":[");
	for (size_t i = 0; i < o->output_count; i++) {
		if (i > 0)
			buf_byte(b, ',');
		add_output(reply, o, &o->outputs[i], binary);
	}
	buf_text(b, "]}");
	if (binary)
		reply->oip_header_bytes = b->len;
	for (size_t i = 0; binary && i < o->output_count; i++)
		if (o->outputs[i].binary)
			reply_part(reply, tensor_of(&o->outputs[i]), false);
	add_headers(reply, o);
}
