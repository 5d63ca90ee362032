/* SPDX-License-Identifier: MIT */
/*
 * What a call of the Open Inference Protocol asks for. Members of the body that it does not know are ignored, as by
 * other servers of the protocol, but not parameters: {"mod":"train"} must not infer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/call_options.h"
#include "handlers/oip_infer.h"
#include "handlers/placeholders.h"

#define PARAMETERS "parameters"

static const char *const modes[] = { "infer", "train", NULL };
enum { MODE_INFER, MODE_TRAIN };

static const struct input id_input = { "id", INPUT_TEXT, .places = INPUT_BODY };
static const struct input parameters_input = { "parameters", INPUT_OBJECT, .places = INPUT_BODY };
static const struct input inputs_input = { "inputs", INPUT_OBJECT, .places = INPUT_BODY };
static const struct input outputs_input = { "outputs", INPUT_OBJECT, .places = INPUT_BODY };

const struct input *const oip_infer_inputs[] = { &id_input, &parameters_input, &inputs_input, &outputs_input, NULL };

static const struct input mode_input = { "mode", INPUT_CHOICE, INPUT_BODY, .parent = PARAMETERS, .choices = modes };
static const struct input binary_default_input = { "binary_data_output", INPUT_BOOL, INPUT_BODY, .parent = PARAMETERS };

/* What clients of the protocol send, and what has no meaning here: there are no queues, sequences and content types. */
static const struct input ignored[] = {
	{ "priority", INPUT_TEXT, .places = INPUT_BODY },
	{ "timeout", INPUT_TEXT, .places = INPUT_BODY },
	{ "sequence_id", INPUT_TEXT, .places = INPUT_BODY },
	{ "sequence_start", INPUT_TEXT, .places = INPUT_BODY },
	{ "sequence_end", INPUT_TEXT, .places = INPUT_BODY },
	{ "content_type", INPUT_TEXT, .places = INPUT_BODY },
};

/* Parts of the protocol that normd does not have. They may be null; otherwise a message says that it has none. */
static const struct input unsupported[] = {
	{ "classification", INPUT_TEXT, .places = INPUT_BODY },
	{ "shared_memory_region", INPUT_TEXT, .places = INPUT_BODY },
	{ "shared_memory_offset", INPUT_TEXT, .places = INPUT_BODY },
	{ "shared_memory_byte_size", INPUT_TEXT, .places = INPUT_BODY },
};

#define UNSUPPORTED &unsupported[0], &unsupported[1], &unsupported[2], &unsupported[3]

static const struct input *const parameters[] = { &mode_input, &binary_default_input, &ignored[0], &ignored[1],
	&ignored[2], &ignored[3], &ignored[4], &ignored[5], UNSUPPORTED, NULL };

static const struct input binary_input = { "binary_data", INPUT_BOOL, INPUT_BODY, .parent = "outputs[].parameters" };
static const struct input *const output_parameters[] = { &binary_input, &ignored[5], UNSUPPORTED, NULL };

static int
check_parameters(const struct cJSON *object, const struct input *const *known, const char *of, struct err *e)
{
	const enum envelope_type type = envelope_type(object);

	if (type != ENVELOPE_OBJECT && type != ENVELOPE_ABSENT)
		return err_fail(e, ERR_BAD_PARAMETER, "the parameters of %s must be an object, not %s", of,
		    envelope_type_name(type));
	for (size_t i = 0; i < sizeof(unsupported) / sizeof(unsupported[0]); i++)
		if (envelope_get(object, unsupported[i].name) != NULL)
			return err_fail(e, ERR_BAD_PARAMETER,
			    "the parameter \"%s\" of %s is not supported; tensors are sent and answered in JSON, or "
			    "in binary by the binary tensor extension",
			    unsupported[i].name, of);
	return inputs_check_members(object, known, "\"" PARAMETERS "\"", e);
}

static int
get_bool(const struct cJSON *object, const struct input *in, bool *value, struct err *e)
{
	uint64_t n = *value;

	if (option_get_member(object, in, &n, e) < 0)
		return -1;
	*value = n != 0;
	return 0;
}

static int
read_parameters(struct oip *o, const struct request *rq, const struct cJSON *root, struct err *e)
{
	const struct cJSON *object = envelope_get(root, PARAMETERS), *id = envelope_get(root, id_input.name);
	uint64_t mode = MODE_INFER;

	if (check_parameters(object, parameters, "the request", e) < 0 ||
	    option_get_member(object, &mode_input, &mode, e) < 0 ||
	    get_bool(object, &binary_default_input, &o->binary, e) < 0)
		return -1;
	o->train = mode == MODE_TRAIN;
	if (o->train && caller_check_role(rq->caller, ACCESS_TRAIN, e) < 0)
		return -1;
	if (id != NULL && envelope_type(id) != ENVELOPE_STRING)
		return err_fail(
		    e, ERR_BAD_PARAMETER, "\"id\" must be a string, not %s", envelope_type_name(envelope_type(id)));
	o->id = id != NULL ? envelope_text(id) : NULL;
	return 0;
}

/* Which state of the model is meant. */
static int
read_version(struct oip *o, const struct request *rq, struct err *e)
{
	uint64_t number;

	if (o->train && rq->version != NULL && (!store_name_number(rq->version, &number) || number != 0))
		return err_fail(e, ERR_BAD_PARAMETER,
		    "version \"%s\" cannot be trained, because versions never change; leave out \"/versions/%s\" to "
		    "train the live state",
		    rq->version, rq->version);
	if (rq->version != NULL)
		o->which = (struct store_which){ .kind = STORE_NAMED, .name = rq->version };
	else
		o->which.kind = o->train ? STORE_LIVE : STORE_SERVING;
	return 0;
}

int
oip_name_input(const struct oip_layer *l, struct err *e)
{
	err_prepend(e, "input \"%s\": ", l->input->name);
	return -1;
}

static int
read_inputs(struct oip *o, struct request *rq, struct err *e)
{
	const struct oip_input *inputs = body_inputs(rq->body, &o->count);
	struct err name;

	if (o->count == 0)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "the request has no inputs: \"inputs\" lists a tensor for each layer, with the layer's name");
	if (o->count > OIP_INPUTS_MAX)
		return err_fail(e, ERR_BAD_PARAMETER, "the request has %zu inputs; at most %zu are accepted", o->count,
		    OIP_INPUTS_MAX);
	o->layers = workspace_array(&rq->workspace, o->count, sizeof(*o->layers), e);
	if (o->layers == NULL || (o->names = workspace_array(&rq->workspace, o->count, sizeof(*o->names), e)) == NULL ||
	    (o->states = workspace_array(&rq->workspace, o->count, sizeof(struct snapshot *), e)) == NULL)
		return -1;
	for (size_t i = 0; i < o->count; i++) {
		o->layers[i].input = &inputs[i];
		o->names[i] = inputs[i].name;
		if (placeholders_check_name("layer", inputs[i].name, &name) < 0)
			return err_fail(
			    e, ERR_NO_SUCH_LAYER, "model \"%s\" has no layer \"%.140s\"", rq->model, inputs[i].name);
	}
	return 0;
}

static int
compare_layers(const void *a, const void *b)
{
	return strcmp((*(struct oip_layer *const *)a)->input->name, (*(struct oip_layer *const *)b)->input->name);
}

static int
compare_name(const void *name, const void *layer)
{
	return strcmp(name, (*(struct oip_layer *const *)layer)->input->name);
}

/* The layers in the order of their names. NULL with `e`. */
static struct oip_layer **
sort_layers(const struct oip *o, struct request *rq, struct err *e)
{
	struct oip_layer **sorted = workspace_array(&rq->workspace, o->count, sizeof(struct oip_layer *), e);

	for (size_t i = 0; sorted != NULL && i < o->count; i++)
		sorted[i] = &o->layers[i];
	if (sorted != NULL)
		qsort(sorted, o->count, sizeof(struct oip_layer *), compare_layers);
	return sorted;
}

static int
read_output(struct oip *o, struct oip_layer **sorted, const struct cJSON *element, struct err *e)
{
	const struct cJSON *name = envelope_get(element, "name"), *object = envelope_get(element, PARAMETERS);
	struct oip_output *out = &o->outputs[o->output_count];
	struct oip_layer **found;
	char of[160];

	if (envelope_type(name) != ENVELOPE_STRING)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "element %zu of \"outputs\" must be an object with a \"name\", which is a string", o->output_count);
	found = bsearch(envelope_text(name), sorted, o->count, sizeof(struct oip_layer *), compare_name);
	if (found == NULL)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "output \"%.140s\" is not an input of the request; each input comes back as the output of its name",
		    envelope_text(name));
	if ((*found)->asked_for)
		return err_fail(e, ERR_BAD_PARAMETER, "output \"%s\" is asked for twice", (*found)->input->name);
	(*found)->asked_for = true;
	*out = (struct oip_output){ *found, o->binary };
	snprintf(of, sizeof(of), "output \"%s\"", (*found)->input->name);
	return check_parameters(object, output_parameters, of, e) < 0 ?
	    -1 :
	    get_bool(object, &binary_input, &out->binary, e);
}

static int
read_outputs(struct oip *o, struct request *rq, const struct cJSON *list, struct err *e)
{
	struct oip_layer **sorted = sort_layers(o, rq, e);

	if (sorted == NULL)
		return -1;
	for (const struct cJSON *element = envelope_first(list); element != NULL; element = envelope_next(element)) {
		if (o->output_count == o->count)
			return err_fail(e, ERR_BAD_PARAMETER,
			    "\"outputs\" has more elements than \"inputs\"; each must name another input");
		if (read_output(o, sorted, element, e) < 0)
			return -1;
		o->output_count++;
	}
	return 0;
}

/* Those that are asked for, in that order; without any, all inputs. */
static int
choose_outputs(struct oip *o, struct request *rq, const struct cJSON *root, struct err *e)
{
	const struct cJSON *list = envelope_get(root, outputs_input.name);
	const enum envelope_type type = envelope_type(list);

	if (type != ENVELOPE_ABSENT && type != ENVELOPE_ARRAY)
		return err_fail(e, ERR_BAD_PARAMETER, "\"outputs\" must be a list, not %s", envelope_type_name(type));
	o->outputs = workspace_array(&rq->workspace, o->count, sizeof(*o->outputs), e);
	if (o->outputs == NULL)
		return -1;
	if (envelope_first(list) != NULL)
		return read_outputs(o, rq, list, e);
	for (o->output_count = 0; o->output_count < o->count; o->output_count++) {
		o->layers[o->output_count].asked_for = true;
		o->outputs[o->output_count] = (struct oip_output){ &o->layers[o->output_count], o->binary };
	}
	return 0;
}

struct oip *
oip_read(struct request *rq, struct err *e)
{
	const struct cJSON *root = body_envelope(rq->body);
	struct oip *o = workspace_alloc(&rq->workspace, sizeof(*o), e);

	if (o == NULL)
		return NULL;
	if (envelope_type(root) != ENVELOPE_OBJECT) {
		err_set(e, ERR_BAD_PARAMETER, "the body of this call must be an object, not %s",
		    envelope_type_name(envelope_type(root)));
		return NULL;
	}
	if (read_parameters(o, rq, root, e) < 0 || read_version(o, rq, e) < 0 || read_inputs(o, rq, e) < 0 ||
	    choose_outputs(o, rq, root, e) < 0)
		return NULL;
	return o;
}
