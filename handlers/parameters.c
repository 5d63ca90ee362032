/* SPDX-License-Identifier: MIT */
/* GET and PUT .../parameters: the learned scale and shift. PUT replaces both; one that is left out becomes 1 or 0. */
#include <stdio.h>
#include <string.h>

#include "codec/json_write.h"
#include "layer/definition.h"
#include "handlers/doubles.h"
#include "handlers/handlers.h"
#include "handlers/input.h"
#include "handlers/reply.h"

const struct input *const parameters_put_inputs[] = { &weight_input, &bias_input, NULL };
const struct input *const parameters_get_inputs[] = { &version_input, NULL };

/* Writes weight or bias in the layer's shape, or null if the layer has none. */
static void
format_vector(
    struct buf *b, const struct definition *d, bool present, const double *values, size_t features, double fallback)
{
	if (!present)
		buf_text(b, "null");
	else if (definition_is_shaped(d))
		json_add_doubles_shaped(b, values, d->normalized_shape, d->normalized_rank, fallback);
	else
		json_add_doubles(b, values, features, fallback);
}

static void
format_parameters(struct request *rq, const double *weight, const double *bias, size_t features)
{
	const struct definition *d = rq->definition;
	struct buf *b = &rq->reply.text;
	const size_t count = definition_parameter_count(d, features);

	reply_expect_numbers(&rq->reply, (d->affine ? count : 0) + (d->bias ? count : 0));
	buf_text(b, "{\"weight\":");
	format_vector(b, d, d->affine, weight, features, 1);
	buf_text(b, ",\"bias\":");
	format_vector(b, d, d->bias, bias, features, 0);
	buf_byte(b, '}');
}

/*
 * One value per feature, or as many as the definition says. A definition of a few bytes can ask for very many, so the
 * length of the request says nothing about the answer.
 */
size_t
parameters_values(const struct request *rq)
{
	return rq->state == NULL ? 0 : definition_parameter_count(rq->definition, rq->state->statistics.features);
}

int
parameters_get(struct request *rq, struct err *e)
{
	(void)e;
	format_parameters(rq, rq->state->weight.values, rq->state->bias.values, rq->state->statistics.features);
	reply_state(&rq->reply, rq->state);
	return 0;
}

/* A tensor for a parameter must have the parameter's shape, or be a flat list of as many values. */
static int
check_shape(const struct definition *d, const struct tensor *t, const char *name, size_t count, struct err *e)
{
	bool flat = t->rank == 1 && t->count == count;
	bool shaped = definition_is_shaped(d) && t->rank == d->normalized_rank &&
	    memcmp(t->shape, d->normalized_shape, t->rank * sizeof(t->shape[0])) == 0;
	char shape[sizeof(e->actual)];

	if (flat || shaped)
		return 0;
	tensor_shape_text(t->shape, t->rank, shape, sizeof(shape));
	err_set(e, ERR_SHAPE_MISMATCH, "\"%s\" must have %zu value%s for this layer; its shape is %s", name, count,
	    err_plural(count), shape);
	snprintf(e->expected, sizeof(e->expected), "[%zu]", count);
	memcpy(e->actual, shape, sizeof(shape));
	return -1;
}

static int
parse_vector(
    struct request *rq, const struct input *in, bool present, size_t *count, struct store_vector *out, struct err *e)
{
	double *values;
	size_t n;

	if (doubles_get(rq, in, &values, &n, e) < 0)
		return -1;
	*out = (struct store_vector){ values, n };
	if (values == NULL)
		return 0;
	if (!present)
		return err_fail(e, ERR_BAD_PARAMETER, "layer \"%s\" has no \"%s\"", rq->layer, in->name);
	if (*count == 0 && doubles_check_features(in->name, n, 0, e) < 0)
		return -1;
	if (*count == 0)
		*count = n;
	return check_shape(rq->definition, input_tensor(rq, in), in->name, *count, e);
}

int
parameters_put(struct request *rq, struct err *e)
{
	const struct definition *d = rq->definition;
	size_t count = definition_parameter_count(d, rq->state->statistics.features);

	if (!d->affine)
		return err_fail(e, ERR_BAD_PARAMETER, "layer \"%s\" has no parameters: it is not affine", rq->layer);
	if (parse_vector(rq, &weight_input, d->affine, &count, &rq->write.parameters.weight, e) < 0 ||
	    parse_vector(rq, &bias_input, d->bias, &count, &rq->write.parameters.bias, e) < 0)
		return -1;
	rq->write.parameters.features = definition_is_shaped(d) ? 0 : count;
	format_parameters(
	    rq, rq->write.parameters.weight.values, rq->write.parameters.bias.values, rq->write.parameters.features);
	request_write(rq, STORE_PARAMETERS_PUT);
	return precondition_get(rq, e);
}

int
parameters_put_finish(struct request *rq, struct err *e)
{
	(void)e;
	/* Another request has fixed the number of features meanwhile. */
	if (rq->write.result.features != rq->write.parameters.features) {
		buf_clear(&rq->reply.text);
		format_parameters(rq, rq->write.parameters.weight.values, rq->write.parameters.bias.values,
		    rq->write.result.features);
	}
	reply_revision(&rq->reply, rq->write.result.revision);
	return 0;
}
