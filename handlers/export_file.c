/* SPDX-License-Identifier: MIT */
/* The file of an export: what it has, and its bytes from any place on. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "codec/json_write.h"
#include "handlers/export.h"
#include "handlers/state_tensors.h"
#include "layer/definition.h"

/* Metadata beside the layers': format, digest, version; of a layer: definition, count. */
#define PAIRS_OF_FILE ((size_t)3)
#define PAIRS_OF_LAYER ((size_t)2)

static const struct definition *
definition_of(const struct snapshot *s)
{
	return s->identity->parsed;
}

/* The values of a tensor but the number of batches; NULL where all are `*fallback`. */
static const double *
values_of(const struct snapshot *s, enum state_tensor t, double *fallback)
{
	*fallback = t == STATE_WEIGHT || t == STATE_VAR ? 1 : 0;
	switch (t) {
	case STATE_WEIGHT:
		return s->weight.values;
	case STATE_BIAS:
		return s->bias.values;
	case STATE_MEAN:
		return s->statistics.mean;
	default:
		return s->statistics.var;
	}
}

/* How many values a tensor has; 0 while the number of features is not fixed. */
static size_t
count_of(const struct snapshot *s, enum state_tensor t)
{
	if (t == STATE_BATCHES)
		return s->statistics.features > 0;
	return t <= STATE_BIAS ? definition_parameter_count(definition_of(s), s->statistics.features) :
				 s->statistics.features;
}

/* Whether a value is too large for FP32, to which it would be rounded. */
static int
check_fp32(const struct snapshot *s, enum state_tensor t, struct err *e)
{
	double fallback;
	const double *values = t == STATE_BATCHES ? NULL : values_of(s, t, &fallback);
	const size_t count = values == NULL ? 0 : count_of(s, t);

	for (size_t i = 0; i < count; i++)
		if (isinf((float)values[i]))
			return err_fail(e, ERR_NOT_ACCEPTABLE,
			    "value %zu of \"%s.%s\" is %g, which FP32 cannot hold; export datatype=FP64", i,
			    s->identity->name, state_tensor_name(t), values[i]);
	return 0;
}

/* The shape of a tensor; *rank is 0 for the number of batches. */
static const uint64_t *
make_shape(struct request *rq, const struct snapshot *s, enum state_tensor t, unsigned *rank, struct err *e)
{
	const struct definition *d = definition_of(s);
	uint64_t *shape;

	*rank = t == STATE_BATCHES ? 0 : definition_is_shaped(d) ? d->normalized_rank : 1;
	shape = workspace_array(&rq->workspace, *rank, sizeof(*shape), e);
	if (shape == NULL)
		return NULL;
	for (unsigned i = 0; i < *rank; i++)
		shape[i] = definition_is_shaped(d) ? d->normalized_shape[i] : s->statistics.features;
	return shape;
}

static int
add_tensor(struct request *rq, struct export *x, size_t state, enum state_tensor t, struct err *e)
{
	const struct snapshot *s = x->states[state];
	struct safetensors_tensor *tensor = &x->contents.tensors[x->contents.count];
	char name[STATE_NAME_BYTES];
	const size_t len = state_tensor_format(s->identity->name, t, name);

	if (!state_tensor_of(definition_of(s), t) || count_of(s, t) == 0)
		return 0;
	if (x->is_fp32 && check_fp32(s, t, e) < 0)
		return -1;
	*tensor = (struct safetensors_tensor){ .name_len = len, .tag = state * STATE_TENSOR_COUNT + t };
	tensor->dtype = t == STATE_BATCHES ? SAFETENSORS_I64 : x->is_fp32 ? SAFETENSORS_F32 : SAFETENSORS_F64;
	tensor->name = workspace_text(&rq->workspace, name, len, e);
	tensor->shape = make_shape(rq, s, t, &tensor->rank, e);
	if (tensor->name == NULL || tensor->shape == NULL)
		return -1;
	x->contents.count++;
	return 0;
}

/* Adds a pair of the metadata, of which both are copied. */
static int
add_pair(struct request *rq, struct export *x, const char *key, const char *value, size_t value_len, struct err *e)
{
	struct safetensors_pair *pair = &x->contents.metadata[x->contents.metadata_count++];

	pair->key = workspace_text(&rq->workspace, key, strlen(key), e);
	pair->value = workspace_text(&rq->workspace, value, value_len, e);
	pair->value_len = value_len;
	return pair->key == NULL || pair->value == NULL ? -1 : 0;
}

static int
add_layer_pair(struct request *rq, struct export *x, const char *key, const struct snapshot *s, const struct buf *value,
    struct err *e)
{
	char full[STATE_KEY_BYTES];

	state_key_format(key, s->identity->name, full);
	if (value->failed)
		return err_fail_memory(e);
	return add_pair(rq, x, full, value->bytes, value->len, e);
}

static int
add_layer_pairs(struct request *rq, struct export *x, const struct snapshot *s, struct err *e)
{
	const struct definition *d = definition_of(s);
	struct buf text;
	int result;

	buf_init(&text, SIZE_MAX);
	definition_format(&text, d, s->statistics.features);
	result = add_layer_pair(rq, x, STATE_DEFINITION_KEY, s, &text, e);
	if (result == 0 && definition_merges_one(d) && d->track_running_stats) {
		buf_clear(&text);
		if (d->averaging == AVERAGING_DECAYED)
			json_add_double(&text, s->statistics.decayed_count);
		else
			buf_uint(&text, s->statistics.count);
		result = add_layer_pair(rq, x, STATE_COUNT_KEY, s, &text, e);
	}
	buf_fini(&text);
	return result;
}

static int
add_file_pairs(struct request *rq, struct export *x, struct err *e)
{
	char digest[SHA256_TEXT_BYTES], version[24];

	sha256_format(x->digest, digest);
	if (x->version == 0)
		snprintf(version, sizeof(version), "live");
	else
		snprintf(version, sizeof(version), "%" PRIu64, x->version);
	/* Tools that read checkpoints of several frameworks go by "format". */
	if (add_pair(rq, x, "format", "pt", 2, e) < 0 ||
	    add_pair(rq, x, STATE_DIGEST_KEY, digest, strlen(digest), e) < 0)
		return -1;
	return add_pair(rq, x, STATE_VERSION_KEY, version, strlen(version), e);
}

static int
add_all(struct request *rq, struct export *x, struct err *e)
{
	struct safetensors_contents *c = &x->contents;

	c->tensors = workspace_array(&rq->workspace, x->count * STATE_TENSOR_COUNT, sizeof(*c->tensors), e);
	c->metadata =
	    workspace_array(&rq->workspace, PAIRS_OF_FILE + x->count * PAIRS_OF_LAYER, sizeof(*c->metadata), e);
	if (c->tensors == NULL || c->metadata == NULL || add_file_pairs(rq, x, e) < 0)
		return -1;
	for (size_t i = 0; i < x->count; i++) {
		if (add_layer_pairs(rq, x, x->states[i], e) < 0)
			return -1;
		for (enum state_tensor t = 0; t < STATE_TENSOR_COUNT; t++)
			if (add_tensor(rq, x, i, t, e) < 0)
				return -1;
	}
	return 0;
}

int
export_make_file(struct request *rq, struct export *x, struct err *e)
{
	struct buf *header = &rq->reply.text;

	if (add_all(rq, x, e) < 0 || safetensors_write_header(&x->contents, header, &x->data_bytes, e) < 0)
		return -1;
	if (header->failed)
		return err_fail_memory(e);
	x->header = header->bytes;
	x->header_bytes = header->len;
	return 0;
}

/* A value as it stands in the file; returns the bytes. */
static size_t
encode(const struct export *x, const struct safetensors_tensor *tensor, const double *values, double fallback, size_t i,
    unsigned char out[8])
{
	const struct snapshot *s = x->states[tensor->tag / STATE_TENSOR_COUNT];
	const double value = values != NULL ? values[i] : fallback;
	float single;
	uint32_t bits;

	if (tensor->rank == 0) {
		bytes_put_le64(out, s->statistics.num_batches_tracked);
		return 8;
	}
	if (!x->is_fp32) {
		bytes_put_doubles(out, &value, 1);
		return 8;
	}
	single = (float)value;
	memcpy(&bits, &single, sizeof(bits));
	for (unsigned k = 0; k < 4; k++)
		out[k] = (unsigned char)(bits >> 8 * k);
	return 4;
}

/* Copies bytes of a tensor from `at` on, as many as there are or fit. Returns how many. */
static size_t
copy_tensor(const struct export *x, const struct safetensors_tensor *tensor, uint64_t at, char *out, size_t room)
{
	const enum state_tensor t = tensor->tag % STATE_TENSOR_COUNT;
	const size_t size = safetensors_dtype_bits(tensor->dtype) / 8;
	double fallback = 0;
	const double *values =
	    t == STATE_BATCHES ? NULL : values_of(x->states[tensor->tag / STATE_TENSOR_COUNT], t, &fallback);
	size_t n = 0;

	while (n < room && at < tensor->bytes) {
		const size_t skip = (size_t)(at % size), left = room - n;
		const size_t len = size - skip < left ? size - skip : left;
		unsigned char value[8];

		(void)encode(x, tensor, values, fallback, (size_t)(at / size), value);
		memcpy(out + n, value + skip, len);
		n += len;
		at += len;
	}
	return n;
}

ssize_t
export_read(const void *arg, uint64_t offset, char *out, size_t room)
{
	const struct export *x = arg;
	const struct safetensors_tensor *tensor;
	size_t n = 0, i;
	uint64_t at;

	if (offset < x->header_bytes) {
		n = x->header_bytes - (size_t)offset;
		n = n < room ? n : room;
		memcpy(out, x->header + offset, n);
		return (ssize_t)n;
	}
	at = offset - x->header_bytes;
	for (i = safetensors_tensor_at(&x->contents, at); n < room && i < x->contents.count; i++) {
		tensor = &x->contents.tensors[i];
		n += copy_tensor(x, tensor, at + n - tensor->begin, out + n, room - n);
	}
	return (ssize_t)n;
}
