#include "handlers/definition.h"

#include <stdlib.h>
#include <string.h>

#include "codec/json_scan.h"
#include "codec/json_write.h"

#define BN (1u << KIND_BATCH_NORM)
#define LN (1u << KIND_LAYER_NORM)

static const char *const kind_names[KIND_COUNT] = { "batch_norm", "layer_norm" };
static const char *const convention_names[CONVENTION_COUNT] = { "pytorch", "keras", "flax", "onnx" };
static const char *const averaging_names[] = { "exponential", "cumulative", "pooled" };

/* What a convention sets when a definition does not say. Sources in docs/MATH.md. */
struct defaults {
	double batch_eps;
	double momentum;
	double layer_eps;
	bool momentum_weighs_new;
	bool unbiased;
};

static const struct defaults convention_defaults[CONVENTION_COUNT] = {
	[CONVENTION_PYTORCH] = { 1e-5, 0.1, 1e-5, true, true },
	[CONVENTION_KERAS] = { 1e-3, 0.99, 1e-3, false, false },
	[CONVENTION_FLAX] = { 1e-5, 0.99, 1e-6, false, false },
	[CONVENTION_ONNX] = { 1e-5, 0.9, 1e-5, false, false },
};

/* A definition being read: what was said, apart from what it says. */
struct reading {
	struct definition *d;
	bool has_momentum, has_averaging, has_unbiased, has_shape;
};

static int
refuse_type(const char *field, const char *wanted, const struct cJSON *value, struct err *e)
{
	return err_set(
	    e, ERR_BAD_PARAMETER, "\"%s\" must be %s, not %s", field, wanted, envelope_type_name(envelope_type(value)));
}

static int
parse_bool(const char *field, const struct cJSON *value, bool *out, struct err *e)
{
	if (envelope_type(value) != ENVELOPE_BOOL)
		return refuse_type(field, "true or false", value, e);
	*out = envelope_bool(value);
	return 0;
}

static int
parse_choice(const char *field, const struct cJSON *value, const char *const *names, int count, int *out, struct err *e)
{
	struct buf list;

	if (envelope_type(value) != ENVELOPE_STRING)
		return refuse_type(field, "a string", value, e);
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], envelope_string(value)) == 0) {
			*out = i;
			return 0;
		}
	buf_init(&list, 256);
	for (int i = 0; i < count; i++)
		buf_printf(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
	if (list.failed)
		(void)err_set_memory(e);
	else
		(void)err_set(e, ERR_BAD_PARAMETER, "\"%s\" is \"%.64s\"; this version has %.*s", field, envelope_string(value),
		    (int)list.len, list.bytes);
	buf_fini(&list);
	return -1;
}

static int
parse_range(const char *field, const struct cJSON *value, double min, double max, double *out, struct err *e)
{
	if (envelope_type(value) != ENVELOPE_NUMBER)
		return refuse_type(field, "a number", value, e);
	if (envelope_double(value, out) < 0 || !(*out >= min && *out <= max))
		return err_set(e, ERR_BAD_PARAMETER, "\"%s\" is %.32s; it must be from %g to %g", field,
		    envelope_number_text(value), min, max);
	return 0;
}

/* 2^40 features are more than any machine holds, and their bytes still fit a size_t. */
#define EXTENT_MAX ((uint64_t)1 << 40)

static int
parse_extent(const char *field, const struct cJSON *value, size_t *out, struct err *e)
{
	uint64_t n;

	if (envelope_type(value) != ENVELOPE_NUMBER)
		return refuse_type(field, "a whole number", value, e);
	if (envelope_uint64(value, &n) < 0 || n == 0 || n > EXTENT_MAX)
		return err_set(e, ERR_BAD_PARAMETER, "\"%s\" is %.32s; it must be a whole number from 1 to 2^40", field,
		    envelope_number_text(value));
	*out = (size_t)n;
	return 0;
}

/* One function a field: value -> definition. `field` is its name. */

static int
read_num_features(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	if (envelope_type(value) == ENVELOPE_NULL)
		return 0;
	return parse_extent(field, value, &r->d->num_features, e);
}

static int
read_normalized_shape(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	struct definition *d = r->d;
	const struct cJSON *extent = value;
	size_t product = 1;

	r->has_shape = true;
	if (envelope_type(value) == ENVELOPE_NUMBER) {
		d->normalized_rank = 1;
		return parse_extent(field, value, &d->normalized_shape[0], e);
	}
	if (envelope_type(value) != ENVELOPE_ARRAY || (extent = envelope_first(value)) == NULL)
		return err_set(e, ERR_BAD_PARAMETER, "\"%s\" must be a whole number or a list of at least one", field);
	for (d->normalized_rank = 0; extent != NULL; extent = envelope_next(extent)) {
		if (d->normalized_rank == TENSOR_RANK_MAX)
			return err_set(e, ERR_BAD_PARAMETER, "\"%s\" has more than %d extents", field, TENSOR_RANK_MAX);
		if (parse_extent(field, extent, &d->normalized_shape[d->normalized_rank], e) < 0)
			return -1;
		if (__builtin_mul_overflow(product, d->normalized_shape[d->normalized_rank++], &product) ||
		    product > EXTENT_MAX)
			return err_set(e, ERR_BAD_PARAMETER, "the product of \"%s\" is above 2^40", field);
	}
	return 0;
}

static int
read_eps(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	return parse_range(field, value, 0, 1e30, &r->d->eps, e);
}

static int
read_momentum(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	if (envelope_type(value) == ENVELOPE_NULL) {
		if (r->has_averaging && r->d->averaging == AVERAGING_EXPONENTIAL)
			return err_set(e, ERR_BAD_PARAMETER, "\"averaging\" exponential needs a \"momentum\", which is null");
		if (!r->has_averaging)
			r->d->averaging = AVERAGING_CUMULATIVE;
		return 0;
	}
	r->has_momentum = true;
	return parse_range(field, value, 0, 1, &r->d->momentum, e);
}

static int
read_affine(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	return parse_bool(field, value, &r->d->affine, e);
}

static int
read_bias(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	return parse_bool(field, value, &r->d->bias, e);
}

static int
read_track(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	return parse_bool(field, value, &r->d->track_running_stats, e);
}

static int
read_channel_axis(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	int64_t axis;

	if (envelope_type(value) != ENVELOPE_NUMBER)
		return refuse_type(field, "a whole number", value, e);
	if (envelope_int64(value, &axis) < 0 || axis < -5 || axis > 4)
		return err_set(e, ERR_BAD_PARAMETER, "\"%s\" is %.32s; it must be a whole number from -5 to 4", field,
		    envelope_number_text(value));
	r->d->channel_axis = (int)axis;
	return 0;
}

static int
read_unbiased(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	r->has_unbiased = true;
	return parse_bool(field, value, &r->d->unbiased_running_var, e);
}

/* Read before the table is walked: others depend on them. */
static int
read_before(struct reading *r, const char *field, const struct cJSON *value, struct err *e)
{
	(void)r, (void)field, (void)value, (void)e;
	return 0;
}

/* A definition's fields in the order in which they are shown, and the kinds that have them. */
static const struct field {
	const char *name;
	unsigned kinds;
	int (*read)(struct reading *r, const char *field, const struct cJSON *value, struct err *e);
} fields[] = {
	{ "kind", BN | LN, read_before },
	{ "convention", BN | LN, read_before },
	{ "averaging", BN, read_before },
	{ "num_features", BN, read_num_features },
	{ "normalized_shape", LN, read_normalized_shape },
	{ "eps", BN | LN, read_eps },
	{ "momentum", BN, read_momentum },
	{ "affine", BN, read_affine },
	{ "elementwise_affine", LN, read_affine },
	{ "bias", LN, read_bias },
	{ "track_running_stats", BN, read_track },
	{ "channel_axis", BN, read_channel_axis },
	{ "unbiased_running_var", BN, read_unbiased },
};

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static void
set_defaults(struct definition *d)
{
	const struct defaults *defaults = &convention_defaults[d->convention];

	d->eps = d->kind == KIND_BATCH_NORM ? defaults->batch_eps : defaults->layer_eps;
	d->momentum = defaults->momentum;
	d->affine = true;
	d->bias = true;
	d->track_running_stats = d->kind == KIND_BATCH_NORM;
	d->channel_axis = 1;
}

/* Kind, convention and averaging, which decide what the rest may be. */
static int
read_frame(const struct cJSON *object, struct reading *r, struct err *e)
{
	const struct cJSON *kind = envelope_get(object, "kind"), *convention = envelope_get(object, "convention");
	const struct cJSON *averaging = envelope_get(object, "averaging");
	int choice = 0;

	if (kind == NULL)
		return err_set(e, ERR_BAD_PARAMETER, "a definition needs a \"kind\"");
	if (parse_choice("kind", kind, kind_names, KIND_COUNT, &choice, e) < 0)
		return -1;
	r->d->kind = (enum kind)choice;
	choice = CONVENTION_PYTORCH;
	if (convention != NULL && parse_choice("convention", convention, convention_names, CONVENTION_COUNT, &choice, e) < 0)
		return -1;
	r->d->convention = (enum convention)choice;
	choice = AVERAGING_EXPONENTIAL;
	r->has_averaging = averaging != NULL;
	if (averaging != NULL && parse_choice("averaging", averaging, averaging_names, 3, &choice, e) < 0)
		return -1;
	r->d->averaging = (enum averaging)choice;
	return 0;
}

static int
read_field(struct reading *r, const struct cJSON *value, struct err *e)
{
	const char *name = envelope_key(value), *kind = kind_names[r->d->kind];

	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (strcmp(fields[i].name, name) == 0) {
			if ((fields[i].kinds & (1u << r->d->kind)) == 0)
				return err_set(e, ERR_BAD_PARAMETER, "\"%s\" is not a field of %s", name, kind);
			return fields[i].read(r, name, value, e);
		}
	return err_set(e, ERR_BAD_PARAMETER, "\"%.64s\" is not a field of %s that this version has", name, kind);
}

/* What follows from several fields together. */
static int
resolve(struct reading *r, struct err *e)
{
	struct definition *d = r->d;

	if (d->kind == KIND_LAYER_NORM) {
		d->bias = d->bias && d->affine;
		return r->has_shape ? 0 : err_set(e, ERR_BAD_PARAMETER, "layer_norm needs a \"normalized_shape\"");
	}
	d->bias = d->affine;
	if (d->averaging != AVERAGING_EXPONENTIAL)
		d->momentum = 0;
	/* Pooled averaging keeps the variance of all values seen; the convention's correction is for one batch's estimate. */
	if (!r->has_unbiased)
		d->unbiased_running_var = convention_defaults[d->convention].unbiased && d->averaging != AVERAGING_POOLED;
	return 0;
}

static bool
is_other(const struct cJSON *member, const char *const *others)
{
	for (size_t i = 0; others != NULL && others[i] != NULL; i++)
		if (strcmp(others[i], envelope_key(member)) == 0)
			return envelope_type(member) != ENVELOPE_BOOL;
	return false;
}

int
definition_parse(const struct cJSON *object, const char *const *others, struct definition *out, struct err *e)
{
	struct reading r = { .d = out };

	memset(out, 0, sizeof(*out));
	if (envelope_type(object) != ENVELOPE_OBJECT)
		return err_set(
		    e, ERR_BAD_PARAMETER, "a definition is an object, not %s", envelope_type_name(envelope_type(object)));
	if (read_frame(object, &r, e) < 0)
		return -1;
	set_defaults(out);
	for (const struct cJSON *m = envelope_first(object); m != NULL; m = envelope_next(m))
		if (!is_other(m, others) && read_field(&r, m, e) < 0)
			return -1;
	return resolve(&r, e);
}

static void
format_batch_norm(struct buf *b, const struct definition *d, size_t features)
{
	if (d->num_features != 0 || features != 0)
		buf_printf(b, ",\"num_features\":%zu", d->num_features != 0 ? d->num_features : features);
	else
		buf_text(b, ",\"num_features\":null");
	buf_text(b, ",\"eps\":");
	json_add_double(b, d->eps);
	buf_text(b, ",\"momentum\":");
	if (d->averaging == AVERAGING_EXPONENTIAL)
		json_add_double(b, d->momentum);
	else
		buf_text(b, "null");
	buf_printf(b,
	    ",\"averaging\":\"%s\",\"affine\":%s,\"track_running_stats\":%s,\"channel_axis\":%d,\"unbiased_running_var\":%s",
	    averaging_names[d->averaging], d->affine ? "true" : "false", d->track_running_stats ? "true" : "false",
	    d->channel_axis, d->unbiased_running_var ? "true" : "false");
}

static void
format_layer_norm(struct buf *b, const struct definition *d)
{
	char shape[512];

	buf_printf(b, ",\"normalized_shape\":%s,\"eps\":",
	    tensor_shape_text(d->normalized_shape, d->normalized_rank, shape, sizeof(shape)));
	json_add_double(b, d->eps);
	buf_printf(b, ",\"elementwise_affine\":%s,\"bias\":%s", d->affine ? "true" : "false", d->bias ? "true" : "false");
}

void
definition_format(struct buf *b, const struct definition *d, size_t features)
{
	buf_printf(b, "{\"kind\":\"%s\",\"convention\":\"%s\"", kind_names[d->kind], convention_names[d->convention]);
	if (d->kind == KIND_BATCH_NORM)
		format_batch_norm(b, d, features);
	else
		format_layer_norm(b, d);
	buf_byte(b, '}');
}

bool
definition_same(const struct definition *stands, size_t features, const struct definition *asked)
{
	size_t stands_features = stands->num_features != 0 ? stands->num_features : features;

	return stands->kind == asked->kind && stands->convention == asked->convention && stands->eps == asked->eps &&
	    stands->affine == asked->affine && stands->bias == asked->bias &&
	    (asked->num_features == stands->num_features || asked->num_features == stands_features) &&
	    stands->track_running_stats == asked->track_running_stats && stands->channel_axis == asked->channel_axis &&
	    stands->averaging == asked->averaging && stands->momentum == asked->momentum &&
	    stands->unbiased_running_var == asked->unbiased_running_var && stands->normalized_rank == asked->normalized_rank &&
	    memcmp(stands->normalized_shape, asked->normalized_shape, sizeof(stands->normalized_shape)) == 0;
}

const char *
definition_kind_name(const struct definition *d)
{
	return kind_names[d->kind];
}

double
definition_new_weight(const struct definition *d)
{
	return convention_defaults[d->convention].momentum_weighs_new ? d->momentum : 1 - d->momentum;
}

bool
definition_tracks(const struct definition *d)
{
	return d->track_running_stats;
}

size_t
definition_parameter_count(const struct definition *d, size_t features)
{
	size_t count = 1;

	if (d->kind == KIND_BATCH_NORM)
		return features;
	for (unsigned i = 0; i < d->normalized_rank; i++)
		count *= d->normalized_shape[i];
	return count;
}

int
definition_parse_text(const char *text, struct definition *out, struct err *e)
{
	struct json_scan *scan = json_scan_new(NULL, 0, 0, NULL);
	int result = -1;

	if (scan == NULL)
		return err_set_memory(e);
	if (json_scan_feed(scan, text, strlen(text), e) == 0 && json_scan_finish(scan, e) == 0)
		result = definition_parse(json_scan_envelope(scan), NULL, out, e);
	json_scan_free(scan);
	return result;
}

static const void *
parse_stored(const char *text, struct err *e)
{
	struct definition *d = malloc(sizeof(*d));

	if (d == NULL) {
		(void)err_set_memory(e);
		return NULL;
	}
	if (definition_parse_text(text, d, e) == 0)
		return d;
	if (e->code != ERR_OVERLOADED)
		e->code = ERR_STORAGE_UNAVAILABLE; /* the file is at fault, not the request */
	free(d);
	return NULL;
}

static void
free_stored(const void *parsed)
{
	free((void *)(uintptr_t)parsed);
}

int
definition_judge(const void *parsed, size_t features, size_t weight_count, size_t bias_count, struct err *e)
{
	const struct definition *d = parsed;
	size_t count = definition_parameter_count(d, features);

	if (features != d->num_features && (d->num_features != 0 || d->kind != KIND_BATCH_NORM))
		return err_set(e, ERR_BAD_PARAMETER, "it has %zu features, its definition says %zu", features, d->num_features);
	if ((weight_count != 0 && weight_count != count) || (bias_count != 0 && bias_count != count))
		return err_set(e, ERR_BAD_PARAMETER, "its weight and bias have %zu and %zu values instead of %zu", weight_count,
		    bias_count, count);
	return 0;
}

const struct store_definition_ops definition_ops = { parse_stored, free_stored };
