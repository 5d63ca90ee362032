/* SPDX-License-Identifier: MIT */
/* The values of a layer of an imported file: checked, and written to the store. */
#include <inttypes.h>
#include <math.h>

#include "handlers/doubles.h"
#include "handlers/import.h"

static int
check_finite(const struct import_layer *layer, enum state_tensor t, struct err *e)
{
	const double *values = layer->values[t];

	for (size_t i = 0; values != NULL && i < layer->value_count[t]; i++)
		if (!isfinite(values[i]))
			return err_fail(e, ERR_NON_FINITE_INPUT, "value %zu of \"%s.%s\" is %g", i, layer->name,
			    state_tensor_name(t), values[i]);
	return 0;
}

int
import_check_values(struct import_layer *layer, struct err *e)
{
	struct statistics *s = &layer->statistics;
	char name[STATE_NAME_BYTES], key[STATE_KEY_BYTES];

	for (enum state_tensor t = 0; t < STATE_BATCHES; t++)
		if (check_finite(layer, t, e) < 0)
			return -1;
	if (!layer->has[STATE_MEAN])
		return 0;
	s->features = layer->features;
	s->mean = layer->values[STATE_MEAN];
	s->var = layer->values[STATE_VAR];
	state_tensor_format(layer->name, STATE_VAR, name);
	if (doubles_check_variance(name, s->var, s->features, e) < 0)
		return -1;
	if (s->num_batches_tracked > STATISTICS_COUNT_MAX)
		return err_fail(e, ERR_BAD_PARAMETER, "\"%s.%s\" is %" PRIu64 "; it must be below 2^63", layer->name,
		    state_tensor_name(STATE_BATCHES), s->num_batches_tracked);
	state_key_format(STATE_COUNT_KEY, layer->name, key);
	return definition_merges_one(&layer->definition) ? doubles_check_weight(s, key, e) : 0;
}

static struct store_write *
next_write(const struct request *rq, struct import_layer *layer, enum store_write_kind kind, struct store_write **next)
{
	struct store_write *write = (*next)++;

	*write = (struct store_write){ .kind = kind, .model = rq->model, .layer = layer->name, .layer_id = layer->id };
	layer->write = write;
	return write;
}

static int
write_create(struct request *rq, struct import_layer *layer, struct store_write **next, struct err *e)
{
	struct store_write *write = next_write(rq, layer, STORE_LAYER_CREATE, next);
	struct buf text;

	layer->create = write;
	buf_init(&text, SIZE_MAX);
	definition_format(&text, &layer->definition, 0);
	if (text.failed)
		err_set_memory(e);
	else
		write->create.definition = workspace_text(&rq->workspace, text.bytes, text.len, e);
	buf_fini(&text);
	write->create.features = layer->definition.num_features;
	write->create.same = true;
	return write->create.definition != NULL ? 0 : -1;
}

static struct store_vector
parameter(const struct import_layer *layer, enum state_tensor t)
{
	return (struct store_vector){ layer->values[t], layer->value_count[t] };
}

int
import_write(struct request *rq, struct import_layer *layer, struct store_write **next, struct err *e)
{
	struct store_write *write;

	if (layer->id == 0 && write_create(rq, layer, next, e) < 0)
		return -1;
	if (layer->has[STATE_MEAN]) {
		write = next_write(rq, layer, STORE_STATISTICS_PUT, next);
		write->statistics = &layer->statistics;
	}
	if (layer->has[STATE_WEIGHT] || layer->has[STATE_BIAS]) {
		write = next_write(rq, layer, STORE_PARAMETERS_PUT, next);
		write->parameters.weight = parameter(layer, STATE_WEIGHT);
		write->parameters.bias = parameter(layer, STATE_BIAS);
		write->parameters.features = definition_is_shaped(&layer->definition) ? 0 : layer->features;
	}
	return 0;
}
