/* SPDX-License-Identifier: MIT */
/* A layer of an imported file: which of its tensors there are, and whether they fit it. */
#include "handlers/import.h"

static struct safetensors_entry
entry(const struct safetensors *file, const struct import_layer *layer, enum state_tensor t)
{
	return safetensors_entry(file, layer->at[t]);
}

bool
import_find_tensors(const struct safetensors *file, struct import_layer *layer)
{
	char name[STATE_NAME_BYTES];
	bool some = false;
	size_t len;

	for (enum state_tensor t = 0; t < STATE_TENSOR_COUNT; t++) {
		len = state_tensor_format(layer->name, t, name);
		layer->has[t] = safetensors_find(file, name, len, &layer->at[t]) == 0;
		some = some || layer->has[t];
	}
	return some;
}

bool
import_is_batch_norm(const struct safetensors *file, const struct import_layer *layer)
{
	for (enum state_tensor t = 0; t < STATE_BATCHES; t++)
		if (layer->has[t] && entry(file, layer, t).rank != 1)
			return false;
	return layer->has[STATE_MEAN];
}

static int
refuse_extra(const struct import_layer *layer, enum state_tensor t, struct err *e)
{
	return err_fail(e, ERR_BAD_PARAMETER, "the file has \"%s.%s\"; layer \"%s\" (%s) has no %s", layer->name,
	    state_tensor_name(t), layer->name, definition_kind_name(&layer->definition), state_tensor_name(t));
}

/* Refuses one of two tensors without the other. */
static int
check_pair(const struct import_layer *layer, enum state_tensor a, enum state_tensor b, struct err *e)
{
	const enum state_tensor there = layer->has[a] ? a : b, missing = layer->has[a] ? b : a;

	if (layer->has[a] == layer->has[b])
		return 0;
	return err_fail(e, ERR_BAD_PARAMETER, "the file has \"%s.%s\" and no \"%s.%s\"; the layer needs both",
	    layer->name, state_tensor_name(there), layer->name, state_tensor_name(missing));
}

static int
check_tensors(const struct import_layer *layer, struct err *e)
{
	const struct definition *d = &layer->definition;

	for (enum state_tensor t = 0; t < STATE_TENSOR_COUNT; t++)
		if (layer->has[t] && !state_tensor_of(d, t))
			return refuse_extra(layer, t, e);
	if (d->affine && d->bias && check_pair(layer, STATE_WEIGHT, STATE_BIAS, e) < 0)
		return -1;
	if (check_pair(layer, STATE_MEAN, STATE_VAR, e) < 0)
		return -1;
	return layer->has[STATE_BATCHES] ? check_pair(layer, STATE_BATCHES, STATE_MEAN, e) : 0;
}

/* Refuses a tensor whose shape is not the one that the layer's has. */
static int
refuse_shape(const struct safetensors *file, const struct import_layer *layer, enum state_tensor t,
    const size_t *wanted, unsigned rank, struct err *e)
{
	uint64_t extents[TENSOR_RANK_MAX];
	size_t shape[TENSOR_RANK_MAX];
	const unsigned found = safetensors_shape(file, layer->at[t], extents, TENSOR_RANK_MAX);

	for (unsigned i = 0; i < found; i++)
		shape[i] = (size_t)extents[i];
	err_set(e, ERR_SHAPE_MISMATCH, "\"%s.%s\" does not have the shape that layer \"%s\" needs", layer->name,
	    state_tensor_name(t), layer->name);
	tensor_shape_text(wanted, rank, e->expected, sizeof(e->expected));
	tensor_shape_text(shape, found, e->actual, sizeof(e->actual));
	return -1;
}

/* A parameter with a normalized shape has that shape, or is a list of as many values. */
static bool
has_normalized_shape(const struct safetensors *file, const struct import_layer *layer, enum state_tensor t)
{
	const struct definition *d = &layer->definition;
	const struct safetensors_entry tensor = entry(file, layer, t);
	uint64_t extents[TENSOR_RANK_MAX];

	if (tensor.rank == 1 && tensor.count == definition_parameter_count(d, layer->features))
		return true;
	if (tensor.rank != d->normalized_rank)
		return false;
	(void)safetensors_shape(file, layer->at[t], extents, TENSOR_RANK_MAX);
	for (unsigned i = 0; i < d->normalized_rank; i++)
		if (extents[i] != d->normalized_shape[i])
			return false;
	return true;
}

static int
check_shape(const struct safetensors *file, struct import_layer *layer, enum state_tensor t, struct err *e)
{
	const struct definition *d = &layer->definition;
	const struct safetensors_entry tensor = entry(file, layer, t);

	if (t == STATE_BATCHES)
		return tensor.rank <= 1 && tensor.count == 1 ? 0 : refuse_shape(file, layer, t, NULL, 0, e);
	if (definition_is_shaped(d))
		return has_normalized_shape(file, layer, t) ?
		    0 :
		    refuse_shape(file, layer, t, d->normalized_shape, d->normalized_rank, e);
	if (layer->features == 0 && tensor.rank == 1)
		layer->features = (size_t)tensor.count;
	if (layer->features == 0)
		return err_fail(e, ERR_SHAPE_MISMATCH, "\"%s.%s\" is not a list with one value per feature",
		    layer->name, state_tensor_name(t));
	return tensor.rank == 1 && tensor.count == layer->features ?
	    0 :
	    refuse_shape(file, layer, t, &layer->features, 1, e);
}

/* Keeps the values of a tensor, and counts them against --max-body. */
static int
keep(struct request *rq, struct import_layer *layer, enum state_tensor t, struct err *e)
{
	struct import *im = rq->scratch;
	struct safetensors *file = safetensors_body_file(rq->file);
	const struct safetensors_entry tensor = entry(file, layer, t);

	if (tensor.bytes > rq->body_max_bytes - im->kept_bytes)
		return err_fail(e, ERR_BODY_TOO_LARGE,
		    "the tensors of the model's layers are larger than %zu bytes together (--max-body)",
		    rq->body_max_bytes);
	im->kept_bytes += tensor.bytes;
	if (t == STATE_BATCHES)
		return safetensors_keep_wholes(file, layer->at[t], &layer->statistics.num_batches_tracked, e);
	layer->value_count[t] = (size_t)tensor.count;
	if (workspace_doubles(&rq->workspace, layer->value_count[t], &layer->values[t], e) < 0)
		return -1;
	return safetensors_keep_doubles(file, layer->at[t], layer->values[t], e);
}

int
import_keep(struct request *rq, struct import_layer *layer, struct err *e)
{
	const struct safetensors *file = safetensors_body_file(rq->file);

	if (check_tensors(layer, e) < 0)
		return -1;
	for (enum state_tensor t = 0; t < STATE_TENSOR_COUNT; t++)
		if (layer->has[t] && (check_shape(file, layer, t, e) < 0 || keep(rq, layer, t, e) < 0))
			return -1;
	if (layer->has[STATE_MEAN] && definition_merges_one(&layer->definition) && import_read_count(rq, layer, e) < 0)
		return -1;
	/* Both states of the layer, and what the store needs beside their lists. */
	return budget_ask(&rq->workspace.memory, 2 * layer->state_bytes + IMPORT_WRITES_MAX * 1024, e);
}
