/* SPDX-License-Identifier: MIT */
/* The body of the Open Inference Protocol as a form (oip.h). Its answers are written part by part (reply.h). */
#include <stdlib.h>
#include <string.h>

#include "codec/body.h"
#include "codec/excerpt.h"
#include "codec/form.h"
#include "codec/oip_inputs.h"
#include "codec/oip_small.h"
#include "codec/raw_values.h"

struct reader {
	struct json_scan *document; /* NULL: nothing has come yet, or the document was small */
	struct oip_small small;
	struct budget_share *memory;
	size_t header_bytes; /* of the document; 0: all are */
	size_t bytes_max;
	uint64_t fed;
	bool complete;         /* the document is */
	size_t envelope_bytes; /* then: those that were parsed */
	struct oip_inputs inputs;

	/* The bytes behind it. */
	size_t now; /* the input that comes; inputs.count: nothing more may come */
	struct raw_values values;
};

static void
close_reader(void *arg)
{
	struct reader *r = arg;

	if (r == NULL)
		return;
	oip_inputs_fini(&r->inputs);
	json_scan_free(r->document);
	oip_small_fini(&r->small);
	free(r);
}

static void *
open_reader(const struct body_options *o)
{
	struct reader *r = malloc(sizeof(*r));

	if (r != NULL)
		*r = (struct reader){ .memory = o->memory, .header_bytes = o->header_bytes, .bytes_max = o->bytes_max };
	return r;
}

/* Checks that there is room for the bytes that are announced. */
static int
check_announced(const struct reader *r, struct err *e)
{
	const struct oip_inputs *x = &r->inputs;
	size_t total = 0;

	for (size_t i = 0; i < x->count; i++) {
		const struct tensor *t = x->inputs[i].tensor;

		if (x->inputs[i].binary && __builtin_add_overflow(total, t->count * datatype_size(t->datatype), &total))
			total = SIZE_MAX;
	}
	if (total > r->bytes_max)
		return err_fail_at(e, ERR_BODY_TOO_LARGE, r->fed,
		    "the tensors have %zu bytes; at most %zu are accepted (--max-body)", total, r->bytes_max);
	return budget_has_room(r->memory, total) ? 0 : budget_refuse(r->memory, total, e);
}

/* Finds the next input of which bytes must come, from r->now on. */
static int
next_input(struct reader *r, struct err *e)
{
	const struct oip_inputs *x = &r->inputs;

	for (; r->now < x->count; r->now++) {
		const struct oip_input *in = &x->inputs[r->now];

		if (!in->binary || in->tensor->count == 0)
			continue;
		raw_values_init(&r->values, in->tensor, r->memory);
		return raw_values_allocate(&r->values, false, e);
	}
	return 0;
}

static const struct cJSON *
envelope(const void *arg)
{
	const struct reader *r = arg;

	return r->document != NULL ? json_scan_envelope(r->document) : r->small.envelope;
}

/* The document has been read, and the inputs' tensors are known. */
static int
end_document(struct reader *r, struct err *e)
{
	r->complete = true;
	if (oip_inputs_read(&r->inputs, envelope(r), r->header_bytes > 0, r->memory, e) < 0 ||
	    check_announced(r, e) < 0)
		return -1;
	return next_input(r, e);
}

static int
finish_scan(struct reader *r, struct err *e)
{
	if (json_scan_finish(r->document, e) == 0)
		return 0;
	if (r->header_bytes > 0 && e->code == ERR_BAD_JSON)
		err_prepend(e, "by Inference-Header-Content-Length, the JSON has %zu bytes: ", r->header_bytes);
	return -1;
}

static int
end_scan(struct reader *r, struct err *e)
{
	bool has_data;

	r->envelope_bytes = json_scan_envelope_bytes(r->document);
	if (finish_scan(r, e) < 0 || oip_inputs_init(&r->inputs, json_scan_listed_count(r->document), r->memory, e) < 0)
		return -1;
	for (size_t i = 0; i < r->inputs.count; i++) {
		r->inputs.inputs[i].tensor = json_scan_listed(r->document, i, &has_data);
		r->inputs.inputs[i].binary = !has_data;
	}
	return end_document(r, e);
}

/* A document that has come whole, and is small: takes the short way, if that takes the document. */
static int
try_small(struct reader *r, const char *bytes, struct err *e)
{
	if (!oip_small_read(&r->small, OIP_INPUTS, bytes, r->header_bytes, r->memory))
		return 0;
	r->fed = r->header_bytes;
	if (oip_inputs_init(&r->inputs, r->small.count, r->memory, e) < 0)
		return -1;
	for (size_t i = 0; i < r->inputs.count; i++)
		r->inputs.inputs[i] = (struct oip_input){ .tensor = &r->small.tensors[i], .binary = true };
	return end_document(r, e);
}

static int
scan_document(struct reader *r, const char *bytes, size_t len, struct err *e)
{
	if (r->document == NULL)
		r->document = json_scan_new_listed(OIP_INPUTS, r->bytes_max, r->memory);
	if (r->document == NULL)
		return err_fail_memory(e);
	return json_scan_feed(r->document, bytes, len, e);
}

/* Takes bytes of the document; *taken is how many. */
static int
feed_document(struct reader *r, const char *bytes, size_t len, size_t *taken, struct err *e)
{
	const size_t missing = r->header_bytes - (size_t)r->fed;

	*taken = r->header_bytes > 0 && missing < len ? missing : len;
	if (r->fed == 0 && *taken == r->header_bytes && *taken <= OIP_SMALL_BYTES) {
		if (try_small(r, bytes, e) < 0)
			return -1;
		if (r->complete)
			return 0;
	}
	if (scan_document(r, bytes, *taken, e) < 0)
		return -1;
	r->fed += *taken;
	return r->header_bytes > 0 && r->fed == r->header_bytes ? end_scan(r, e) : 0;
}

/* Takes bytes of the input that comes now; *taken is how many. */
static int
feed_values(struct reader *r, const char *bytes, size_t len, size_t *taken, struct err *e)
{
	const size_t missing = r->values.size - r->values.taken;

	*taken = missing < len ? missing : len;
	if (raw_values_add(&r->values, bytes, *taken, e) < 0)
		return -1;
	r->fed += *taken;
	if (*taken < missing)
		return 0;
	r->now++;
	return next_input(r, e);
}

static int
feed(void *arg, const char *bytes, size_t len, struct err *e)
{
	struct reader *r = arg;
	size_t taken;

	for (; len > 0; bytes += taken, len -= taken) {
		if (r->complete && r->now == r->inputs.count)
			return err_fail_at(e, ERR_BAD_TENSOR, r->fed,
			    "there are bytes after the tensors; each input's binary_data_size counts its own");
		if (r->complete ? feed_values(r, bytes, len, &taken, e) < 0 :
				  feed_document(r, bytes, len, &taken, e) < 0)
			return -1;
	}
	return 0;
}

static int
finish(void *arg, struct err *e)
{
	struct reader *r = arg;
	const char *name;
	char quote[EXCERPT_BYTES];

	if (r->header_bytes == 0)
		return scan_document(r, "", 0, e) < 0 ? -1 : end_scan(r, e);
	if (!r->complete)
		return err_fail_at(e, ERR_BAD_PARAMETER, r->fed,
		    "Inference-Header-Content-Length is %zu, but the body has %llu bytes", r->header_bytes,
		    (unsigned long long)r->fed);
	if (r->now == r->inputs.count)
		return 0;
	name = r->inputs.inputs[r->now].name;
	return err_fail_at(e, ERR_BAD_TENSOR, r->fed,
	    "the body ends in the middle of the values of the input \"%s\": it has %zu of %zu bytes",
	    excerpt_text(name, strlen(name), quote), r->values.taken, r->values.size);
}

/* The inputs of a request have names of their own; none has a slot. */
static struct tensor *
find_tensor(void *reader, size_t slot)
{
	(void)reader, (void)slot;
	return NULL;
}

static int
settle(void *arg, enum datatype by_layer, struct err *e)
{
	struct reader *r = arg;

	return r->document != NULL ? json_scan_settle(r->document, by_layer, e) : 0;
}

static size_t
envelope_bytes(const void *arg)
{
	const struct reader *r = arg;

	return r->document == NULL || r->complete ? r->envelope_bytes : json_scan_envelope_bytes(r->document);
}

static const struct oip_inputs *
inputs(const void *arg)
{
	return &((const struct reader *)arg)->inputs;
}

const struct form_ops form_oip = {
	.media_type = "application/octet-stream",
	.document = true,
	.by_route = true,
	.damaged = ERR_BAD_JSON,
	.open = open_reader,
	.close = close_reader,
	.feed = feed,
	.finish = finish,
	.tensor = find_tensor,
	.settle = settle,
	.envelope = envelope,
	.envelope_bytes = envelope_bytes,
	.inputs = inputs,
	.values = json_tensor_read_any,
};
