/* SPDX-License-Identifier: MIT */
/*
 * The fields: a row of the table each, with a function that reads it and one that writes it. A new field is two
 * functions and a row.
 */
#include "layer/definition_fields.h"

#include <string.h>

#include "base/suggest.h"
#include "codec/json_write.h"

#define BN (1u << KIND_BATCH_NORM)
#define LN (1u << KIND_LAYER_NORM)
#define IN (1u << KIND_INSTANCE_NORM)
#define GN (1u << KIND_GROUP_NORM)
#define RMS (1u << KIND_RMS_NORM)
#define ALL (BN | LN | IN | GN | RMS)

const char *const kind_names[KIND_COUNT] = { "batch_norm", "layer_norm", "instance_norm", "group_norm", "rms_norm" };
const char *const convention_names[CONVENTION_COUNT] = { "pytorch", "keras", "flax", "onnx" };
const char *const averaging_names[AVERAGINGS] = { "exponential", "cumulative", "pooled" };

/* Those with a form in JSON, which are the first of enum datatype. */
static const char *const datatype_names[DATATYPE_BF16] = { "FP32", "FP64", "FP16" };

/* 2^40 features are more than any machine holds, and their bytes still fit a size_t. */
#define EXTENT_MAX ((uint64_t)1 << 40)

/* Values of any type. */

static int
refuse_type(const char *field, const char *wanted, const struct cJSON *value, struct err *e)
{
	return err_fail(
	    e, ERR_BAD_PARAMETER, "\"%s\" must be %s, not %s", field, wanted, envelope_type_name(envelope_type(value)));
}

static int
read_bool(const char *field, const struct cJSON *value, bool *out, struct err *e)
{
	if (envelope_type(value) != ENVELOPE_BOOL)
		return refuse_type(field, "true or false", value, e);
	*out = envelope_bool(value);
	return 0;
}

static void
write_bool(struct buf *b, bool value)
{
	buf_text(b, value ? "true" : "false");
}

static int
refuse_choice(const char *field, const char *word, const char *const *names, int count, struct err *e)
{
	char near[SUGGEST_BYTES];
	struct suggest s;
	struct buf list;

	suggest_begin(&s, word);
	buf_init(&list, 256);
	for (int i = 0; i < count; i++) {
		suggest_try(&s, names[i]);
		buf_printf(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
	}
	if (list.failed)
		err_set_memory(e);
	else
		err_set(e, ERR_BAD_PARAMETER, "\"%s\" is \"%.64s\"; it must be one of %.*s%s", field, word,
		    (int)list.len, list.bytes, suggest_text(&s, near));
	buf_fini(&list);
	return -1;
}

int
definition_read_choice(
    const char *field, const struct cJSON *value, const char *const *names, int count, int *out, struct err *e)
{
	if (envelope_type(value) != ENVELOPE_STRING)
		return refuse_type(field, "a string", value, e);
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], envelope_string(value)) == 0) {
			*out = i;
			return 0;
		}
	return refuse_choice(field, envelope_string(value), names, count, e);
}

static int
read_number(const char *field, const struct cJSON *value, double min, double max, double *out, struct err *e)
{
	if (envelope_type(value) != ENVELOPE_NUMBER)
		return refuse_type(field, "a number", value, e);
	if (envelope_double(value, out) < 0 || !(*out >= min && *out <= max))
		return err_fail(e, ERR_BAD_PARAMETER, "\"%s\" is %.32s; it must be from %g to %g", field,
		    envelope_number_text(value), min, max);
	return 0;
}

/* 0 where there is none. */
static void
write_number_or_null(struct buf *b, double value)
{
	if (value == 0)
		buf_text(b, "null");
	else
		json_add_double(b, value);
}

static int
read_extent(const char *field, const struct cJSON *value, size_t *out, struct err *e)
{
	uint64_t n;

	if (envelope_type(value) != ENVELOPE_NUMBER)
		return refuse_type(field, "a whole number", value, e);
	if (envelope_uint64(value, &n) < 0 || n == 0 || n > EXTENT_MAX)
		return err_fail(e, ERR_BAD_PARAMETER, "\"%s\" is %.32s; it must be a whole number from 1 to 2^40",
		    field, envelope_number_text(value));
	*out = (size_t)n;
	return 0;
}

static void
write_extent_or_null(struct buf *b, size_t extent)
{
	if (extent == 0)
		buf_text(b, "null");
	else
		buf_uint(b, extent);
}

/* The fields, in pairs. */

/* Those that others depend on are read before the table is walked. */
static int
read_before(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	(void)r, (void)field, (void)value, (void)e;
	return 0;
}

static void
write_kind(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	buf_printf(b, "\"%s\"", kind_names[d->kind]);
}

static void
write_convention(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	buf_printf(b, "\"%s\"", convention_names[d->convention]);
}

static void
write_averaging(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	buf_printf(b, "\"%s\"", averaging_names[d->averaging]);
}

static int
read_num_features(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	return read_extent(field, value, &r->d->num_features, e);
}

static void
write_num_features(struct buf *b, const struct definition *d, size_t features)
{
	write_extent_or_null(b, d->num_features != 0 ? d->num_features : features);
}

static int
read_num_groups(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	return read_extent(field, value, &r->d->num_groups, e);
}

static void
write_num_groups(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	buf_uint(b, d->num_groups);
}

static int
read_num_channels(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	return read_extent(field, value, &r->d->num_features, e);
}

static int
read_normalized_shape(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	struct definition *d = r->d;
	const struct cJSON *extent = value;
	size_t product = 1;

	if (envelope_type(value) == ENVELOPE_NUMBER) {
		d->normalized_rank = 1;
		return read_extent(field, value, &d->normalized_shape[0], e);
	}
	if (envelope_type(value) != ENVELOPE_ARRAY || (extent = envelope_first(value)) == NULL)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "\"%s\" must be a whole number, or a list of at least one whole number%s", field,
		    envelope_type(value) == ENVELOPE_OBJECT ? JSON_TYPED_ARRAY_HINT : "");
	for (d->normalized_rank = 0; extent != NULL; extent = envelope_next(extent)) {
		if (d->normalized_rank == TENSOR_RANK_MAX)
			return err_fail(
			    e, ERR_BAD_PARAMETER, "\"%s\" has more than %d extents", field, TENSOR_RANK_MAX);
		if (read_extent(field, extent, &d->normalized_shape[d->normalized_rank], e) < 0)
			return -1;
		if (__builtin_mul_overflow(product, d->normalized_shape[d->normalized_rank++], &product) ||
		    product > EXTENT_MAX)
			return err_fail(e, ERR_BAD_PARAMETER, "the product of \"%s\" is above 2^40", field);
	}
	return 0;
}

static void
write_normalized_shape(struct buf *b, const struct definition *d, size_t features)
{
	char shape[512];

	(void)features;
	buf_text(b, tensor_shape_text(d->normalized_shape, d->normalized_rank, shape, sizeof(shape)));
}

static int
read_eps(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	if (envelope_type(value) != ENVELOPE_NULL)
		return read_number(field, value, 0, 1e30, &r->d->eps, e);
	r->d->eps_of_datatype = r->d->kind == KIND_RMS_NORM;
	return 0;
}

static void
write_eps(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	if (d->eps_of_datatype)
		buf_text(b, "null");
	else
		json_add_double(b, d->eps);
}

static int
read_momentum(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	if (envelope_type(value) == ENVELOPE_NULL) {
		if (r->has_averaging && r->d->averaging == AVERAGING_EXPONENTIAL)
			return err_fail(
			    e, ERR_BAD_PARAMETER, "\"averaging\" exponential needs a \"momentum\", which is null");
		if (!r->has_averaging)
			r->d->averaging = AVERAGING_CUMULATIVE;
		return 0;
	}
	r->has_momentum = true;
	return read_number(field, value, 0, 1, &r->d->momentum, e);
}

static void
write_momentum(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	if (d->averaging == AVERAGING_EXPONENTIAL)
		json_add_double(b, d->momentum);
	else
		buf_text(b, "null");
}

static int
read_affine(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	return read_bool(field, value, &r->d->affine, e);
}

static void
write_affine(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	write_bool(b, d->affine);
}

static int
read_bias(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	return read_bool(field, value, &r->d->bias, e);
}

static void
write_bias(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	write_bool(b, d->bias);
}

static int
read_track(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	return read_bool(field, value, &r->d->track_running_stats, e);
}

static void
write_track(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	write_bool(b, d->track_running_stats);
}

static int
read_channel_axis(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	int64_t axis;

	if (envelope_type(value) != ENVELOPE_NUMBER)
		return refuse_type(field, "a whole number", value, e);
	if (envelope_int64(value, &axis) < 0 || axis < -5 || axis > 4)
		return err_fail(e, ERR_BAD_PARAMETER, "\"%s\" is %.32s; it must be a whole number from -5 to 4", field,
		    envelope_number_text(value));
	r->d->channel_axis = (int)axis;
	return 0;
}

static void
write_channel_axis(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	buf_printf(b, "%d", d->channel_axis);
}

static int
read_unbiased(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	r->has_unbiased = true;
	return read_bool(field, value, &r->d->unbiased_running_var, e);
}

static void
write_unbiased(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	write_bool(b, d->unbiased_running_var);
}

static int
read_virtual_batch_size(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	return read_extent(field, value, &r->d->virtual_batch_size, e);
}

static void
write_virtual_batch_size(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	write_extent_or_null(b, d->virtual_batch_size);
}

static int
read_shuffle(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	return read_bool(field, value, &r->d->shuffle, e);
}

static void
write_shuffle(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	write_bool(b, d->shuffle);
}

/* {"r_max": 3, "d_max": 5}, either of which may be left out. */
static int
read_renorm(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	struct definition *d = r->d;
	char near[SUGGEST_BYTES];

	if (envelope_type(value) != ENVELOPE_OBJECT)
		return refuse_type(field, "an object with \"r_max\" and \"d_max\", or null", value, e);
	d->renorm = true;
	for (const struct cJSON *m = envelope_first(value); m != NULL; m = envelope_next(m)) {
		const bool r_max = strcmp(envelope_key(m), "r_max") == 0;

		if (!r_max && strcmp(envelope_key(m), "d_max") != 0)
			return err_fail(e, ERR_BAD_PARAMETER, "\"%.64s\" is not a member of \"%s\"%s", envelope_key(m),
			    field,
			    suggest_among(envelope_key(m), (const char *const[]){ "r_max", "d_max", NULL }, near));
		if (envelope_type(m) == ENVELOPE_NULL)
			continue;
		if ((r_max ? read_number("renorm.r_max", m, 1, 1e30, &d->r_max, e) :
			     read_number("renorm.d_max", m, 0, 1e30, &d->d_max, e)) < 0)
			return -1;
	}
	return 0;
}

static void
write_renorm(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	if (!d->renorm) {
		buf_text(b, "null");
		return;
	}
	buf_text(b, "{\"r_max\":");
	json_add_double(b, d->r_max);
	buf_text(b, ",\"d_max\":");
	json_add_double(b, d->d_max);
	buf_byte(b, '}');
}

static int
read_clip(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	return read_number(field, value, 1e-30, 1e30, &r->d->clip, e);
}

static void
write_clip(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	write_number_or_null(b, d->clip);
}

/* The default for tensors in JSON; a datatype that JSON has no form for cannot be it. */
static int
read_datatype(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	int choice = DATATYPE_FP32;

	if (definition_read_choice(field, value, datatype_names, DATATYPE_BF16, &choice, e) < 0)
		return -1;
	r->d->datatype = (enum datatype)choice;
	return 0;
}

static void
write_datatype(struct buf *b, const struct definition *d, size_t features)
{
	(void)features;
	buf_printf(b, "\"%s\"", datatype_name(d->datatype));
}

const struct definition_field definition_fields[] = {
	{ "kind", ALL, true, false, read_before, write_kind },
	{ "convention", ALL, false, false, read_before, write_convention },
	{ "num_features", BN | IN, false, false, read_num_features, write_num_features },
	{ "num_groups", GN, true, false, read_num_groups, write_num_groups },
	{ "num_channels", GN, true, false, read_num_channels, write_num_features },
	{ "normalized_shape", LN | RMS, true, false, read_normalized_shape, write_normalized_shape },
	{ "eps", ALL, false, true, read_eps, write_eps },
	{ "momentum", BN | IN, false, true, read_momentum, write_momentum },
	{ "averaging", BN, false, false, read_before, write_averaging },
	{ "affine", BN | IN | GN, false, false, read_affine, write_affine },
	{ "elementwise_affine", LN | RMS, false, false, read_affine, write_affine },
	{ "bias", LN, false, false, read_bias, write_bias },
	{ "track_running_stats", BN | IN, false, false, read_track, write_track },
	{ "channel_axis", BN, false, false, read_channel_axis, write_channel_axis },
	{ "unbiased_running_var", BN, false, false, read_unbiased, write_unbiased },
	{ "virtual_batch_size", BN, false, false, read_virtual_batch_size, write_virtual_batch_size },
	{ "shuffle", BN, false, false, read_shuffle, write_shuffle },
	{ "renorm", BN, false, false, read_renorm, write_renorm },
	{ "clip", ALL, false, false, read_clip, write_clip },
	{ "datatype", ALL, false, false, read_datatype, write_datatype },
};

const size_t definition_field_count = sizeof(definition_fields) / sizeof(definition_fields[0]);
