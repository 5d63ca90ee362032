/* SPDX-License-Identifier: MIT */
#include "layer/definition.h"

#include <string.h>

#include "base/suggest.h"
#include "layer/field_types.h"

/* The defaults of a convention. Sources in docs/MATH.md. */
struct defaults {
	double eps[KIND_COUNT];
	double momentum;
	bool momentum_weighs_new;
	bool unbiased;
	int channel_axis; /* of batch_norm; the other kinds have their channels in dimension 1 */
};

/* eps in the order of enum kind: batch, layer, instance, group, RMS. */
static const struct defaults convention_defaults[CONVENTION_COUNT] = {
	[CONVENTION_PYTORCH] = { { 1e-5, 1e-5, 1e-5, 1e-5, 1e-5 }, 0.1, true, true, 1 },
	[CONVENTION_KERAS] = { { 1e-3, 1e-3, 1e-3, 1e-3, 1e-6 }, 0.99, false, false, -1 },
	[CONVENTION_FLAX] = { { 1e-5, 1e-6, 1e-6, 1e-6, 1e-6 }, 0.99, false, false, -1 },
	[CONVENTION_ONNX] = { { 1e-5, 1e-5, 1e-5, 1e-5, 1e-5 }, 0.9, false, false, 1 },
};

/* Batch Renormalization's limits at the end of its authors' schedule. */
#define R_MAX 3.0
#define D_MAX 5.0

static void
set_defaults(struct definition *d)
{
	const struct defaults *defaults = &convention_defaults[d->convention];

	d->eps = defaults->eps[d->kind];
	d->momentum = defaults->momentum;
	d->affine = d->kind != KIND_INSTANCE_NORM;
	d->bias = true;
	d->track_running_stats = d->kind == KIND_BATCH_NORM;
	d->channel_axis = d->kind == KIND_BATCH_NORM ? defaults->channel_axis : 1;
	d->datatype = DATATYPE_FP32;
	d->with_mean = true;
	d->r_max = R_MAX;
	d->d_max = D_MAX;
}

/* There is no kind; perhaps a member with a similar name was meant. */
static int
refuse_kind(const struct cJSON *object, struct err *e)
{
	static const char *const kind[] = { "kind", NULL };
	char near[SUGGEST_BYTES];

	for (const struct cJSON *m = envelope_first(object); m != NULL; m = envelope_next(m))
		if (suggest_among(envelope_key(m), kind, near)[0] != '\0' && envelope_type(m) == ENVELOPE_STRING)
			return err_fail(e, ERR_BAD_PARAMETER, "a definition needs a \"kind\"; it has \"%.64s\" instead",
			    envelope_key(m));
	return err_fail(e, ERR_BAD_PARAMETER, "a definition needs a \"kind\", such as \"batch_norm\"");
}

bool
definition_has_field(const struct definition *d, const struct definition_field *f)
{
	return (f->kinds & (1u << d->kind)) != 0;
}

static int
refuse_field(const struct definition *d, const char *const *others, const char *name, struct err *e)
{
	char near[SUGGEST_BYTES];
	struct suggest s;

	suggest_begin(&s, name);
	for (const struct definition_field *f = definition_fields; f < definition_fields_end; f++)
		if (definition_has_field(d, f))
			suggest_try(&s, f->name);
	for (; others != NULL && *others != NULL; others++)
		suggest_try(&s, *others);
	return err_fail(e, ERR_BAD_PARAMETER, "\"%.64s\" is not a field of %s%s", name, kind_names[d->kind],
	    suggest_text(&s, near));
}

static int
read_value(const struct definition_field *f, struct definition *d, const struct cJSON *value,
    const struct cJSON *object, struct err *e)
{
	return f->read != NULL ? f->read(d, value, object, e) : field_read(f, d, value, e);
}

/* Reads the fields that others depend on, first the kind. read_field refuses those that the kind does not have. */
static int
read_first(const struct cJSON *object, struct definition *d, struct err *e)
{
	if (envelope_get(object, "kind") == NULL)
		return refuse_kind(object, e);
	for (const struct definition_field *f = definition_fields; f < definition_fields_end; f++) {
		const struct cJSON *value = f->first ? envelope_get(object, f->name) : NULL;

		if (value != NULL && definition_has_field(d, f) && read_value(f, d, value, object, e) < 0)
			return -1;
	}
	return 0;
}

static int
read_field(struct definition *d, const char *const *others, const struct cJSON *value, const struct cJSON *object,
    struct err *e)
{
	const char *name = envelope_key(value);
	const struct definition_field *f = definition_fields;
	bool had;

	while (f < definition_fields_end && strcmp(f->name, name) != 0)
		f++;
	had = f < definition_fields_end && definition_has_field(d, f);
	if (f < definition_fields_end && envelope_type(value) == ENVELOPE_NULL && !(had && f->takes_null))
		return 0;
	if (!had)
		return refuse_field(d, others, name, e);
	return f->first ? 0 : read_value(f, d, value, object, e);
}

static int
check_needed(const struct cJSON *object, const struct definition *d, struct err *e)
{
	for (const struct definition_field *f = definition_fields; f < definition_fields_end; f++)
		if (f->needed && definition_has_field(d, f) && envelope_get(object, f->name) == NULL)
			return err_fail(e, ERR_BAD_PARAMETER, "%s needs a \"%s\"", kind_names[d->kind], f->name);
	return 0;
}

/* The fields that make sense only together. */
static int
check_together(const struct definition *d, struct err *e)
{
	const bool by_running = d->normalize_by == NORMALIZE_BY_RUNNING, decayed = d->averaging == AVERAGING_DECAYED;
	const struct {
		bool wrong;
		const char *message;
	} rules[] = {
		{ d->renorm && !d->track_running_stats,
		    "\"renorm\" needs \"track_running_stats\": it corrects towards the running statistics" },
		{ by_running && !d->track_running_stats,
		    "\"normalize_by\" \"running\" needs \"track_running_stats\": it normalizes by running statistics" },
		{ d->min_std > 0 && !d->track_running_stats,
		    "\"min_std\" needs \"track_running_stats\": it is compared with running deviations" },
		{ !d->with_mean && !by_running, "\"with_mean\" false needs \"normalize_by\" \"running\"" },
		{ d->renorm && by_running,
		    "\"renorm\" corrects a batch's own statistics, and \"normalize_by\" \"running\" does not use "
		    "them" },
		{ decayed && d->half_life == 0,
		    "\"averaging\" \"decayed\" needs \"half_life\": after how many values older ones weigh half" },
		{ !decayed && d->half_life > 0, "\"half_life\" needs \"averaging\" \"decayed\"" },
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].wrong)
			return err_fail(e, ERR_BAD_PARAMETER, "%s", rules[i].message);
	return 0;
}

/* Sets and checks what depends on several fields. */
static int
resolve(const struct cJSON *object, struct definition *d, struct err *e)
{
	if (d->kind == KIND_LAYER_NORM)
		d->bias = d->bias && d->affine;
	else
		d->bias = d->affine && d->kind != KIND_RMS_NORM;
	if (d->kind == KIND_GROUP_NORM && (d->num_groups == 0 || d->num_features % d->num_groups != 0))
		return err_fail(e, ERR_BAD_PARAMETER,
		    "\"num_channels\" (%zu) must be a multiple of \"num_groups\" (%zu)", d->num_features,
		    d->num_groups);
	if (!definition_may_track(d))
		return 0;
	if (d->averaging != AVERAGING_EXPONENTIAL)
		d->momentum = 0;
	/*
	 * Pooled and decayed averaging keep the variance of all values seen; the convention's correction is for one
	 * batch's estimate.
	 */
	if (envelope_get(object, "unbiased_running_var") == NULL)
		d->unbiased_running_var = convention_defaults[d->convention].unbiased && !definition_merges_one(d);
	return d->kind == KIND_BATCH_NORM ? check_together(d, e) : 0;
}

static bool
is_other(const struct cJSON *member, const char *const *others)
{
	for (size_t i = 0; others != NULL && others[i] != NULL; i++)
		if (strcmp(others[i], envelope_key(member)) == 0)
			return envelope_type(member) != ENVELOPE_BOOL;
	return false;
}

/* What GET shows beside the definition. A PUT of what GET shows is accepted, but only PUT .../frozen changes it. */
static bool
is_frozen(const struct cJSON *member)
{
	return strcmp(envelope_key(member), "frozen") == 0;
}

static int
check_frozen(const struct cJSON *member, struct err *e)
{
	const enum envelope_type type = envelope_type(member);

	if (type == ENVELOPE_BOOL || type == ENVELOPE_NULL)
		return 0;
	return field_refuse_type("frozen", "true or false", member, e);
}

int
definition_parse(const struct cJSON *object, const char *const *others, struct definition *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (envelope_type(object) != ENVELOPE_OBJECT)
		return err_fail(e, ERR_BAD_PARAMETER, "a definition must be an object, not %s",
		    envelope_type_name(envelope_type(object)));
	if (read_first(object, out, e) < 0)
		return -1;
	set_defaults(out);
	for (const struct cJSON *m = envelope_first(object); m != NULL; m = envelope_next(m))
		if (!is_other(m, others) &&
		    (is_frozen(m) ? check_frozen(m, e) : read_field(out, others, m, object, e)) < 0)
			return -1;
	/* Last: a needed field may be there under a wrong name, and then that is said. */
	return check_needed(object, out, e) < 0 ? -1 : resolve(object, out, e);
}

bool
definition_is_field(const char *name)
{
	for (const struct definition_field *f = definition_fields; f < definition_fields_end; f++)
		if (strcmp(f->name, name) == 0)
			return true;
	return false;
}

struct definition
definition_with_features(const struct definition *d, size_t features)
{
	struct definition shown = *d;

	if (shown.num_features == 0)
		shown.num_features = features;
	return shown;
}

/* All but the brace at the end. */
static void
format_fields(struct buf *b, const struct definition *d, size_t features)
{
	const struct definition shown = definition_with_features(d, features);
	char before = '{';

	for (const struct definition_field *f = definition_fields; f < definition_fields_end; f++) {
		if (!definition_has_field(d, f))
			continue;
		buf_printf(b, "%c\"%s\":", before, f->name);
		field_write(f, b, &shown);
		before = ',';
	}
}

void
definition_format(struct buf *b, const struct definition *d, size_t features)
{
	format_fields(b, d, features);
	buf_byte(b, '}');
}

void
definition_show(struct buf *b, const struct definition *d, size_t features, bool frozen)
{
	format_fields(b, d, features);
	buf_printf(b, ",\"frozen\":%s}", frozen ? "true" : "false");
}

static void
add_difference(
    struct buf *out, const struct definition_field *f, const struct definition *one, const struct definition *other)
{
	struct buf first, second;

	buf_init(&first, SIZE_MAX);
	buf_init(&second, SIZE_MAX);
	field_write(f, &first, one);
	field_write(f, &second, other);
	if (first.failed || second.failed)
		out->failed = true;
	else if (first.len != second.len || memcmp(first.bytes, second.bytes, first.len) != 0)
		buf_printf(out, "%s\"%s\" is %.*s, not %.*s", out->len > 0 ? "; " : "", f->name, (int)first.len,
		    first.bytes, (int)second.len, second.bytes);
	buf_fini(&first);
	buf_fini(&second);
}

/* Beside the layer's name, a message has room for differences of so many bytes and one more. */
#define DIFFERENCES_BYTES 100

void
definition_differences(
    struct buf *out, const struct definition *stands, size_t features, const struct definition *asked)
{
	const size_t open = stands->num_features == 0 ? features : 0;
	const struct definition one = definition_with_features(stands, open);
	const struct definition other = definition_with_features(asked, open);

	for (const struct definition_field *f = definition_fields; f < definition_fields_end; f++) {
		/* Kinds have different fields; theirs is the first. */
		if (out->len > DIFFERENCES_BYTES || (out->len > 0 && one.kind != other.kind))
			return;
		if (definition_has_field(&one, f))
			add_difference(out, f, &one, &other);
	}
}

const char *
definition_kind_name(const struct definition *d)
{
	return kind_names[d->kind];
}

const char *
definition_averaging_name(const struct definition *d)
{
	return averaging_names[d->averaging];
}

struct update
definition_update(const struct definition *d, size_t features, const struct moments *batch)
{
	return (struct update){
		.averaging = d->averaging,
		.momentum = convention_defaults[d->convention].momentum_weighs_new ? d->momentum : 1 - d->momentum,
		.keep = d->averaging == AVERAGING_DECAYED ? update_keep(batch->count, d->half_life) : 0,
		.ddof = d->unbiased_running_var ? 1 : 0,
		.count = batch->count,
		.features = features,
		.mean = batch->mean,
		.var = batch->var,
	};
}

bool
definition_by_running(const struct definition *d)
{
	return d->normalize_by == NORMALIZE_BY_RUNNING;
}

bool
definition_merges_one(const struct definition *d)
{
	return d->averaging == AVERAGING_POOLED || d->averaging == AVERAGING_DECAYED;
}

bool
definition_may_track(const struct definition *d)
{
	return d->kind == KIND_BATCH_NORM || d->kind == KIND_INSTANCE_NORM;
}

bool
definition_is_shaped(const struct definition *d)
{
	return d->kind == KIND_LAYER_NORM || d->kind == KIND_RMS_NORM;
}

size_t
definition_parameter_count(const struct definition *d, size_t features)
{
	size_t count = 1;

	if (!definition_is_shaped(d))
		return features;
	for (unsigned i = 0; i < d->normalized_rank; i++)
		count *= d->normalized_shape[i];
	return count;
}
