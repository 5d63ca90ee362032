/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/normalize: normalizes a tensor without a layer, as train would normalize the first batch of a new one. The
 * fields of the definition are members of the body, of its object "definition", or of ?definition={...}, which is
 * needed if the body is only a tensor. The tensor's members are in the body, or in its object "tensor" or "input".
 */
#include <string.h>

#include "handlers/definition_stored.h"
#include "handlers/doubles.h"
#include "handlers/handlers.h"
#include "handlers/call_options.h"
#include "handlers/reply.h"
#include "handlers/request_call.h"
#include "layer/call.h"

/* The tensor as a member, under either name. */
static const struct input nested_input = { "tensor", INPUT_TENSOR, INPUT_BODY, .datatype = DATATYPE_FP32,
	.by_layer = true };
static const struct input input_input = { "input", INPUT_TENSOR, INPUT_BODY, .datatype = DATATYPE_FP32,
	.by_layer = true };
static const struct input definition_input = { "definition", INPUT_OBJECT, .places = INPUT_ANYWHERE };

const struct input *const normalize_inputs[] = { &tensor_input, &nested_input, &input_input, &weight_input, &bias_input,
	&lengths_input, &mask_input, &definition_input, NULL };

/* More than the inputs and "shape" together. */
#define OTHERS_MAX 16
_Static_assert(sizeof(normalize_inputs) / sizeof(normalize_inputs[0]) < OTHERS_MAX, "others have room");

/* The members beside a definition's fields. "datatype" is the tensor's and the definition's at once. */
static void
list_others(const char *others[OTHERS_MAX])
{
	size_t n = 0;

	for (const struct input *const *in = normalize_inputs; *in != NULL; in++)
		others[n++] = (*in)->name;
	others[n++] = "shape";
	others[n] = NULL;
}

/* Whether a member has a meaning beside the definition, although a definition may have a field of this name. */
static bool
is_listed(const char *const *others, const char *name)
{
	for (; *others != NULL; others++)
		if (strcmp(*others, name) == 0)
			return true;
	return strcmp(name, "datatype") == 0;
}

/* The definition is one object: refuses a body that has fields of a definition as members too. */
static int
check_given_once(const struct request *rq, const struct option *definition, const char *const *others, struct err *e)
{
	const struct cJSON *root = body_envelope(rq->body), *m = NULL;

	if (envelope_type(root) == ENVELOPE_OBJECT)
		m = envelope_first(root);
	for (; m != NULL; m = envelope_next(m))
		if (definition_is_field(envelope_key(m)) && !is_listed(others, envelope_key(m)))
			return err_fail(e, ERR_BAD_PARAMETER,
			    "the definition is given twice: %s, and by members of the body such as \"%s\"; give all of "
			    "it in one place",
			    definition->text != NULL ? "in the query" : "as \"definition\"", envelope_key(m));
	return inputs_check_body(rq, e);
}

static int
parse_definition(const struct request *rq, struct definition *d, struct err *e)
{
	const struct cJSON *root = body_envelope(rq->body);
	const char *others[OTHERS_MAX];
	struct option o;

	if (option_find(rq, &definition_input, &o, e) < 0)
		return -1;
	if (!option_given(&o) && (root == NULL || envelope_type(root) == ENVELOPE_TENSOR))
		return err_fail(e, ERR_BAD_PARAMETER,
		    "a body that is a tensor alone needs the definition in the query: ?definition={\"kind\":...}");
	list_others(others);
	if (!option_given(&o))
		return definition_parse(root, others, d, e);
	if (check_given_once(rq, &o, others, e) < 0)
		return -1;
	return option_read_object(&definition_input, &o, definition_read, d, e);
}

/* The one tensor of the body. */
static int
find_tensor(const struct request *rq, struct tensor **out, struct err *e)
{
	const struct input *const ways[] = { &tensor_input, &nested_input, &input_input };
	unsigned found = 0;

	*out = NULL;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (input_tensor(rq, ways[i]) != NULL) {
			*out = input_tensor(rq, ways[i]);
			found++;
		}
	if (found > 1)
		return err_fail(e, ERR_BAD_TENSOR, "the body has more than one tensor");
	return found == 1 ? 0 : input_need_tensor(rq, &tensor_input, out, e);
}

static int
parse_parameter(
    struct request *rq, const struct input *in, bool present, size_t expected, const double **out, struct err *e)
{
	double *values;
	size_t count;

	*out = NULL;
	if (in == &bias_input && envelope_type(envelope_get(body_envelope(rq->body), in->name)) == ENVELOPE_BOOL)
		return 0; /* layer_norm's field */
	if (doubles_get(rq, in, &values, &count, e) < 0)
		return -1;
	if (values != NULL && !present)
		return err_fail(e, ERR_BAD_PARAMETER, "the definition has no \"%s\"", in->name);
	if (values != NULL && doubles_check_count(in->name, count, expected, e) < 0)
		return -1;
	*out = values;
	return 0;
}

int
normalize_once(struct request *rq, struct err *e)
{
	struct definition d;
	struct call c = { .definition = &d, .workspace = &rq->workspace };
	size_t count;

	if (parse_definition(rq, &d, e) < 0 || request_settle(rq, &d, e) < 0 || find_tensor(rq, &c.tensor, e) < 0)
		return -1;
	c.statistics.features = d.num_features;
	if (request_check_answer(rq, c.tensor, e) < 0 || call_fit(&c, e) < 0)
		return -1;
	if (d.shuffle || d.renorm)
		return err_fail(e, ERR_BAD_PARAMETER, "\"%s\" needs a stored layer; this call stores nothing",
		    d.shuffle ? "shuffle" : "renorm");
	count = definition_parameter_count(&d, c.view.feature);
	if (parse_parameter(rq, &weight_input, d.affine, count, &c.parameters.weight, e) < 0 ||
	    parse_parameter(rq, &bias_input, d.bias, count, &c.parameters.bias, e) < 0 ||
	    mask_options_get(rq, &d, c.tensor, &c.mask, e) < 0 || call_normalize(&c, e) < 0)
		return -1;
	request_count_values(METRIC_OPERATION_NORMALIZE, &c);
	reply_tensor(&rq->reply, NULL, c.tensor);
	reply_end(&rq->reply);
	return 0;
}
