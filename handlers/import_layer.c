/* SPDX-License-Identifier: MIT */
/* A layer of an imported file: whether its tensors fit it, and what is written to the store. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "handlers/definition_stored.h"
#include "handlers/doubles.h"
#include "handlers/import.h"

/* The longest text of a definition that is read. The longest that normd writes has 32 extents and some 2 KiB. */
#define DEFINITION_BYTES_MAX ((size_t)16 << 10)

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

/* Parses a definition that the import has made, or that the metadata have. */
static int
parse_definition(const char *text, struct import_layer *layer, struct definition *out, struct err *e)
{
	struct err why;

	if (option_parse(text, definition_read, out, &why) == 0)
		return 0;
	*e = why;
	if (why.code == ERR_OVERLOADED)
		return -1;
	/* An offset in this text is none in the file. */
	return err_fail(e, ERR_BAD_PARAMETER, "the definition of layer \"%s\": %.200s", layer->name, why.detail);
}

int
import_define(const struct safetensors *file, struct import_layer *layer, struct err *e)
{
	const uint64_t features = entry(file, layer, STATE_MEAN).count;
	const bool affine = layer->has[STATE_WEIGHT] || layer->has[STATE_BIAS];
	char text[128];

	if (features == 0)
		return err_fail(e, ERR_SHAPE_MISMATCH, "\"%s.%s\" is empty; it needs one value per feature",
		    layer->name, state_tensor_name(STATE_MEAN));
	snprintf(text, sizeof(text), "{\"kind\":\"batch_norm\",\"num_features\":%" PRIu64 ",\"affine\":%s}", features,
	    affine ? "true" : "false");
	if (parse_definition(text, layer, &layer->definition, e) < 0)
		return -1;
	layer->features = layer->definition.num_features;
	return 0;
}

/* A text of the metadata as a string, from the request's arena. NULL with `e`, or where there is none. */
static const char *
metadata_text(struct request *rq, const char *key, const char *name, struct err *e)
{
	const struct safetensors *file = safetensors_body_file(rq->file);
	char full[STATE_KEY_BYTES];
	const size_t len = state_key_format(key, name, full);
	struct safetensors_text text;
	const char *copy;

	if (safetensors_metadata_find(file, full, len, &text) < 0)
		return NULL;
	if (text.len > DEFINITION_BYTES_MAX || memchr(text.bytes, '\0', text.len) != NULL) {
		err_set(e, ERR_BAD_PARAMETER, "the metadata's \"%s\" is longer than %zu bytes, or contains a NUL", full,
		    DEFINITION_BYTES_MAX);
		return NULL;
	}
	copy = budget_ask(&rq->workspace.memory, text.len + 1, e) < 0 ?
	    NULL :
	    arena_text(&rq->workspace.arena, text.bytes, text.len);
	if (copy == NULL && e->code == ERR_NONE)
		err_set_memory(e);
	return copy;
}

static int
check_same(struct request *rq, const struct import_layer *layer, const struct definition *asked, struct err *e)
{
	/* A number that is not fixed yet is fixed by the import. */
	const size_t features = layer->features != 0 ? layer->features : asked->num_features;
	struct buf differences;
	int result = 0;

	buf_init(&differences, 4096);
	buf_count(&differences, &rq->workspace.memory);
	definition_differences(&differences, &layer->definition, features, asked);
	if (differences.failed)
		result = err_fail_memory(e);
	else if (differences.len > 0)
		result =
		    err_fail(e, ERR_LAYER_DIFFERS, "layer \"%s\" exists with another definition than in the file: %.*s",
			layer->name, (int)differences.len, differences.bytes);
	buf_fini(&differences);
	return result;
}

int
import_read_definition(struct request *rq, struct import_layer *layer, struct err *e)
{
	const char *text = metadata_text(rq, STATE_DEFINITION_KEY, layer->name, e);
	struct definition asked;

	if (text == NULL)
		return e->code == ERR_NONE ? 0 : -1;
	if (parse_definition(text, layer, &asked, e) < 0)
		return -1;
	if (layer->id != 0)
		return check_same(rq, layer, &asked, e);
	layer->definition = asked;
	layer->features = asked.num_features;
	return 0;
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

static const struct input count_input = { "count", INPUT_UINT, INPUT_BODY, .max = STATISTICS_COUNT_MAX };

/* The count of pooled averaging is whole; that of decayed averaging stays below the end that updates keep to. */
static int
read_count(void *arg, const struct cJSON *value, struct err *e)
{
	struct import_layer *layer = arg;
	const struct option count = { .member = value };
	double n;

	if (layer->definition.averaging != AVERAGING_DECAYED)
		return option_read(&count_input, &count, &layer->statistics.count, e);
	if (envelope_double(value, &n) < 0 || !(n >= 0 && n < STATISTICS_DECAYED_COUNT_END))
		return option_refuse(&count_input, &count, "a number that is at least 0 and below 2^63", e);
	layer->statistics.decayed_count = n == 0 ? 0 : n; /* -0 is 0 */
	return 0;
}

/* The number of values in the statistics, which pooled and decayed averaging weigh them by, and which PyTorch lacks. */
static int
get_count(struct request *rq, struct import_layer *layer, struct err *e)
{
	const char *text = metadata_text(rq, STATE_COUNT_KEY, layer->name, e);
	struct err why;

	if (e->code != ERR_NONE)
		return -1;
	if (text == NULL)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "the statistics of %s layer \"%s\" need the number of values per feature in them, as the file's "
		    "metadata \"%s%s\"; or import them by PUT .../statistics with a \"count\"",
		    definition_averaging_name(&layer->definition), layer->name, STATE_COUNT_KEY, layer->name);
	if (option_parse(text, read_count, layer, &why) == 0)
		return 0;
	*e = why;
	return why.code == ERR_OVERLOADED ?
	    -1 :
	    err_fail(e, ERR_BAD_PARAMETER, "the metadata's \"%s%s\": %.200s", STATE_COUNT_KEY, layer->name, why.detail);
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
	if (layer->has[STATE_MEAN] && definition_merges_one(&layer->definition) && get_count(rq, layer, e) < 0)
		return -1;
	/* Both states of the layer, and what the store needs beside their lists. */
	return budget_ask(&rq->workspace.memory, 2 * layer->state_bytes + IMPORT_WRITES_MAX * 1024, e);
}

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
	buf_init(&text, DEFINITION_BYTES_MAX);
	definition_format(&text, &layer->definition, 0);
	write->create.definition = text.failed || budget_ask(&rq->workspace.memory, text.len, e) < 0 ?
	    NULL :
	    arena_text(&rq->workspace.arena, text.bytes, text.len);
	buf_fini(&text);
	write->create.features = layer->definition.num_features;
	write->create.same = true;
	if (write->create.definition == NULL && e->code == ERR_NONE)
		err_set_memory(e);
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
