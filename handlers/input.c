/* SPDX-License-Identifier: MIT */
#include "handlers/input.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "handlers/routes.h"
#include "layer/definition.h"

const struct input tensor_input = { "data", INPUT_BODY_TENSOR, INPUT_BODY, .datatype = DATATYPE_FP32, .by_layer = true,
	.needed = true };

/* The members of a tensor beside its data. */
static const char *const beside_data[] = { "shape", "datatype" };
#define BESIDE_DATA (sizeof(beside_data) / sizeof(beside_data[0]))

const char *
input_query(const struct request *rq, const struct input *in)
{
	for (unsigned i = 0; i < rq->query_count; i++)
		if (strcmp(rq->query[i].name, in->name) == 0)
			return rq->query[i].value;
	return NULL;
}

/* Whether one of the inputs has the name, in that place. */
static bool
is_known(const struct input *const *inputs, enum input_places place, const char *name)
{
	for (; inputs != NULL && *inputs != NULL; inputs++) {
		const struct input *in = *inputs;

		if ((in->places & place) == 0)
			continue;
		if (strcmp(in->name, name) == 0)
			return true;
		for (size_t i = 0; in->type == INPUT_BODY_TENSOR && i < BESIDE_DATA; i++)
			if (strcmp(beside_data[i], name) == 0)
				return true;
	}
	return false;
}

static int
refuse_name(
    const struct input *const *inputs, enum input_places place, const char *name, const char *what, struct err *e)
{
	char near[SUGGEST_BYTES];
	struct suggest s;

	suggest_begin(&s, name);
	for (; inputs != NULL && *inputs != NULL; inputs++) {
		if (((*inputs)->places & place) == 0)
			continue;
		suggest_try(&s, (*inputs)->name);
		for (size_t i = 0; (*inputs)->type == INPUT_BODY_TENSOR && i < BESIDE_DATA; i++)
			suggest_try(&s, beside_data[i]);
	}
	return err_fail(e, ERR_BAD_PARAMETER, "\"%.64s\" is not a %s%s", name, what, suggest_text(&s, near));
}

int
inputs_check_query(const struct request *rq, struct err *e)
{
	for (unsigned i = 0; i < rq->query_count; i++) {
		const char *name = rq->query[i].name;

		if (!is_known(rq->route->inputs, INPUT_QUERY, name))
			return refuse_name(rq->route->inputs, INPUT_QUERY, name, "query parameter of this call", e);
		for (unsigned k = 0; k < i; k++)
			if (strcmp(rq->query[k].name, name) == 0)
				return err_fail(e, ERR_BAD_PARAMETER, "\"%.64s\" is given twice in the query", name);
	}
	return 0;
}

int
inputs_check_members(const struct cJSON *object, const struct input *const *inputs, const char *of, struct err *e)
{
	char what[64];

	for (const struct cJSON *m = envelope_first(object); m != NULL; m = envelope_next(m))
		if (!is_known(inputs, INPUT_BODY, envelope_key(m))) {
			snprintf(what, sizeof(what), "member of %s", of);
			return refuse_name(inputs, INPUT_BODY, envelope_key(m), what, e);
		}
	return 0;
}

int
inputs_check_body(const struct request *rq, struct err *e)
{
	const struct cJSON *root = body_envelope(rq->body);
	const enum envelope_type type = envelope_type(root);

	if (root == NULL || type == ENVELOPE_TENSOR)
		return 0;
	if (type != ENVELOPE_OBJECT)
		return err_fail(
		    e, ERR_BAD_PARAMETER, "the body of this call must be an object, not %s", envelope_type_name(type));
	return inputs_check_members(root, rq->route->inputs, "the body of this call", e);
}

static bool
is_tensor(const struct input *in)
{
	return in->type == INPUT_TENSOR || in->type == INPUT_BODY_TENSOR;
}

size_t
inputs_slots(const struct input *const *inputs, struct json_slot slots[JSON_SLOTS_MAX])
{
	size_t count = 0;

	for (; inputs != NULL && *inputs != NULL; inputs++) {
		if (!is_tensor(*inputs))
			continue;
		assert(count < JSON_SLOTS_MAX);
		slots[count++] = (struct json_slot){ .key = (*inputs)->type == INPUT_BODY_TENSOR ? "" : (*inputs)->name,
			.datatype = (*inputs)->datatype,
			.by_layer = (*inputs)->by_layer,
			.non_finite = (*inputs)->non_finite };
	}
	return count;
}

struct tensor *
input_tensor(const struct request *rq, const struct input *in)
{
	const struct input *const *inputs = rq->route->inputs;
	size_t slot = 0;

	for (; *inputs != in; inputs++) {
		assert(*inputs != NULL);
		slot += is_tensor(*inputs);
	}
	return body_tensor(rq->body, slot);
}

int
input_need_tensor(const struct request *rq, const struct input *in, struct tensor **out, struct err *e)
{
	*out = input_tensor(rq, in);
	return *out != NULL ? 0 : err_fail(e, ERR_BAD_TENSOR, "the body has no \"%s\"", in->name);
}

int
request_settle(struct request *rq, const struct definition *d, struct err *e)
{
	return rq->body != NULL ? body_settle(rq->body, d->datatype, e) : 0;
}

int
request_check_answer(const struct request *rq, const struct tensor *t, struct err *e)
{
	const unsigned holding = form_holding(t->datatype);
	char others[FORM_LIST_BYTES];

	if (form_in(holding, rq->reply.form))
		return 0;
	return err_fail(e, ERR_NOT_ACCEPTABLE, "%s cannot be written in %s; ask for %s with Accept",
	    datatype_name(t->datatype), form_ops(rq->reply.form)->media_type,
	    form_list(holding & form_carrying(rq->route->tensors_out), others));
}
