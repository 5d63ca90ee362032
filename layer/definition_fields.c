/* SPDX-License-Identifier: MIT */
#include "layer/field_types.h"

#include <stddef.h>
#include <string.h>

#include "base/suggest.h"

const char *const kind_names[KIND_COUNT + 1] = { "batch_norm", "layer_norm", "instance_norm", "group_norm",
	"rms_norm" };
static const char *const convention_names[CONVENTION_COUNT + 1] = { "pytorch", "keras", "flax", "onnx" };
const char *const averaging_names[AVERAGINGS + 1] = { "exponential", "cumulative", "pooled", "decayed" };

static const char *const normalize_by_names[NORMALIZE_BY_COUNT + 1] = { "batch", "running" };

/* Those with a form in JSON, which are the first of enum datatype. */
static const char *const datatype_names[DATATYPE_BF16 + 1] = { "FP32", "FP64", "FP16" };

static int
read_shape(struct definition *d, const struct cJSON *value, const struct cJSON *object, struct err *e)
{
	static const char *const field = "normalized_shape";
	const struct cJSON *extent = value;
	size_t product = 1;

	(void)object;
	if (envelope_type(value) == ENVELOPE_NUMBER) {
		d->normalized_rank = 1;
		return field_read_extent(field, value, &d->normalized_shape[0], e);
	}
	if (envelope_type(value) != ENVELOPE_ARRAY || (extent = envelope_first(value)) == NULL)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "\"%s\" must be a whole number, or a list of at least one whole number%s", field,
		    envelope_type(value) == ENVELOPE_OBJECT ? JSON_TYPED_ARRAY_HINT : "");
	for (d->normalized_rank = 0; extent != NULL; extent = envelope_next(extent)) {
		if (d->normalized_rank == TENSOR_RANK_MAX)
			return err_fail(
			    e, ERR_BAD_PARAMETER, "\"%s\" has more than %d extents", field, TENSOR_RANK_MAX);
		if (field_read_extent(field, extent, &d->normalized_shape[d->normalized_rank], e) < 0)
			return -1;
		if (__builtin_mul_overflow(product, d->normalized_shape[d->normalized_rank++], &product) ||
		    product > FIELD_EXTENT_MAX)
			return err_fail(e, ERR_BAD_PARAMETER, "the product of \"%s\" is above 2^40", field);
	}
	return 0;
}

static struct field_value
value_of_shape(const struct definition *d)
{
	return (struct field_value){ FIELD_VALUE_EXTENTS, .extents = { d->normalized_shape, d->normalized_rank } };
}

static int
read_eps(struct definition *d, const struct cJSON *value, const struct cJSON *object, struct err *e)
{
	(void)object;
	if (envelope_type(value) != ENVELOPE_NULL)
		return field_read_double("eps", value, 0, 1e30, &d->eps, e);
	d->eps_of_datatype = d->kind == KIND_RMS_NORM;
	return 0;
}

static struct field_value
value_of_eps(const struct definition *d)
{
	if (d->eps_of_datatype)
		return (struct field_value){ .type = FIELD_VALUE_NULL };
	return (struct field_value){ FIELD_VALUE_NUMBER, .number = d->eps };
}

/* Null, as in PyTorch, asks for cumulative averaging. */
static int
read_momentum(struct definition *d, const struct cJSON *value, const struct cJSON *object, struct err *e)
{
	const bool has_averaging = envelope_get(object, "averaging") != NULL;

	if (envelope_type(value) != ENVELOPE_NULL)
		return field_read_double("momentum", value, 0, 1, &d->momentum, e);
	if (has_averaging && d->averaging == AVERAGING_EXPONENTIAL)
		return err_fail(e, ERR_BAD_PARAMETER, "\"averaging\" exponential needs a \"momentum\" other than null");
	if (!has_averaging)
		d->averaging = AVERAGING_CUMULATIVE;
	return 0;
}

static struct field_value
value_of_momentum(const struct definition *d)
{
	if (d->averaging != AVERAGING_EXPONENTIAL)
		return (struct field_value){ .type = FIELD_VALUE_NULL };
	return (struct field_value){ FIELD_VALUE_NUMBER, .number = d->momentum };
}

/* {"r_max": 3, "d_max": 5}, either of which may be left out. */
static int
read_renorm(struct definition *d, const struct cJSON *value, const struct cJSON *object, struct err *e)
{
	char near[SUGGEST_BYTES];

	(void)object;
	if (envelope_type(value) != ENVELOPE_OBJECT)
		return field_refuse_type("renorm", "an object with \"r_max\" and \"d_max\", or null", value, e);
	d->renorm = true;
	for (const struct cJSON *m = envelope_first(value); m != NULL; m = envelope_next(m)) {
		const bool r_max = strcmp(envelope_key(m), "r_max") == 0;

		if (!r_max && strcmp(envelope_key(m), "d_max") != 0)
			return err_fail(e, ERR_BAD_PARAMETER, "\"%.64s\" is not a member of \"renorm\"%s",
			    envelope_key(m),
			    suggest_among(envelope_key(m), (const char *const[]){ "r_max", "d_max", NULL }, near));
		if (envelope_type(m) == ENVELOPE_NULL)
			continue;
		if ((r_max ? field_read_double("renorm.r_max", m, 1, 1e30, &d->r_max, e) :
			     field_read_double("renorm.d_max", m, 0, 1e30, &d->d_max, e)) < 0)
			return -1;
	}
	return 0;
}

static struct field_value
value_of_renorm(const struct definition *d)
{
	if (!d->renorm)
		return (struct field_value){ .type = FIELD_VALUE_NULL };
	return (struct field_value){ FIELD_VALUE_PAIR, .pair = { { "r_max", d->r_max }, { "d_max", d->d_max } } };
}

#define BN (1u << KIND_BATCH_NORM)
#define LN (1u << KIND_LAYER_NORM)
#define IN (1u << KIND_INSTANCE_NORM)
#define GN (1u << KIND_GROUP_NORM)
#define RMS (1u << KIND_RMS_NORM)
#define ALL (BN | LN | IN | GN | RMS)

/* A member of struct definition, and its type. */
#define BOOL(member) .type = FIELD_BOOL, .at = offsetof(struct definition, member)
#define EXTENT(member) .type = FIELD_EXTENT, .at = offsetof(struct definition, member)
#define INT(member, least, most) .type = FIELD_INT, .at = offsetof(struct definition, member), .min = least, .max = most
#define DOUBLE(member, least, most) \
	.type = FIELD_DOUBLE, .at = offsetof(struct definition, member), .min = least, .max = most
#define CHOICE(member, list) .type = FIELD_CHOICE, .at = offsetof(struct definition, member), .names = list
#define OWN(name) .type = FIELD_OWN, .read = read_##name, .value = value_of_##name

const struct definition_field definition_fields[] = {
	{ "kind", ALL, CHOICE(kind, kind_names), .needed = true, .first = true },
	{ "convention", ALL, CHOICE(convention, convention_names), .first = true },
	{ "num_features", BN | IN, EXTENT(num_features) },
	{ "num_groups", GN, EXTENT(num_groups), .needed = true },
	{ "num_channels", GN, EXTENT(num_features), .needed = true },
	{ "normalized_shape", LN | RMS, OWN(shape), .needed = true },
	{ "eps", ALL, OWN(eps), .takes_null = true },
	{ "momentum", BN | IN, OWN(momentum), .takes_null = true },
	{ "averaging", BN, CHOICE(averaging, averaging_names), .first = true },
	{ "half_life", BN, DOUBLE(half_life, 1e-30, 1e30) },
	{ "affine", BN | IN | GN, BOOL(affine) },
	{ "elementwise_affine", LN | RMS, BOOL(affine) },
	{ "bias", LN, BOOL(bias) },
	{ "track_running_stats", BN | IN, BOOL(track_running_stats) },
	{ "channel_axis", BN, INT(channel_axis, -5, 4) },
	{ "unbiased_running_var", BN, BOOL(unbiased_running_var) },
	{ "virtual_batch_size", BN, EXTENT(virtual_batch_size) },
	{ "shuffle", BN, BOOL(shuffle) },
	{ "renorm", BN, OWN(renorm) },
	{ "normalize_by", BN, CHOICE(normalize_by, normalize_by_names) },
	{ "with_mean", BN, BOOL(with_mean) },
	{ "min_std", BN, DOUBLE(min_std, 1e-150, 1e30) },
	{ "clip", ALL, DOUBLE(clip, 1e-30, 1e30) },
	{ "datatype", ALL, CHOICE(datatype, datatype_names) },
};

const struct definition_field *const definition_fields_end =
    definition_fields + sizeof(definition_fields) / sizeof(definition_fields[0]);

_Static_assert(sizeof(definition_fields) / sizeof(definition_fields[0]) <= DEFINITION_FIELDS_MAX, "");
