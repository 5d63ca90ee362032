/* SPDX-License-Identifier: MIT */
#include "layer/field_types.h"

#include <inttypes.h>
#include <string.h>

#include "base/suggest.h"
#include "codec/json_write.h"

int
field_refuse_type(const char *field, const char *wanted, const struct cJSON *value, struct err *e)
{
	return err_fail(
	    e, ERR_BAD_PARAMETER, "\"%s\" must be %s, not %s", field, wanted, envelope_type_name(envelope_type(value)));
}

static int
read_bool(const struct definition_field *f, const struct cJSON *value, bool *out, struct err *e)
{
	if (envelope_type(value) != ENVELOPE_BOOL)
		return field_refuse_type(f->name, "true or false", value, e);
	*out = envelope_bool(value);
	return 0;
}

int
field_read_extent(const char *field, const struct cJSON *value, size_t *out, struct err *e)
{
	uint64_t n;

	if (envelope_type(value) != ENVELOPE_NUMBER)
		return field_refuse_type(field, "a whole number", value, e);
	if (envelope_uint64(value, &n) < 0 || n == 0 || n > FIELD_EXTENT_MAX)
		return err_fail(e, ERR_BAD_PARAMETER, "\"%s\" is %.32s; it must be a whole number from 1 to 2^40",
		    field, envelope_text(value));
	*out = (size_t)n;
	return 0;
}

static int
read_int(const struct definition_field *f, const struct cJSON *value, int *out, struct err *e)
{
	int64_t n;

	if (envelope_type(value) != ENVELOPE_NUMBER)
		return field_refuse_type(f->name, "a whole number", value, e);
	if (envelope_int64(value, &n) < 0 || (double)n < f->min || (double)n > f->max)
		return err_fail(e, ERR_BAD_PARAMETER, "\"%s\" is %.32s; it must be a whole number from %g to %g",
		    f->name, envelope_text(value), f->min, f->max);
	*out = (int)n;
	return 0;
}

int
field_read_double(const char *field, const struct cJSON *value, double min, double max, double *out, struct err *e)
{
	if (envelope_type(value) != ENVELOPE_NUMBER)
		return field_refuse_type(field, "a number", value, e);
	if (envelope_double(value, out) < 0 || !(*out >= min && *out <= max))
		return err_fail(e, ERR_BAD_PARAMETER, "\"%s\" is %.32s; it must be a number from %g to %g", field,
		    envelope_text(value), min, max);
	return 0;
}

static int
refuse_choice(const struct definition_field *f, const char *word, struct err *e)
{
	char near[SUGGEST_BYTES];
	struct buf list;

	buf_init(&list, 256);
	for (const char *const *name = f->names; *name != NULL; name++)
		buf_printf(&list, "%s%s", name == f->names ? "" : ", ", *name);
	if (list.failed)
		err_set_memory(e);
	else
		err_set(e, ERR_BAD_PARAMETER, "\"%s\" is \"%.64s\"; it must be one of %.*s%s", f->name, word,
		    (int)list.len, list.bytes, suggest_among(word, f->names, near));
	buf_fini(&list);
	return -1;
}

/* An enum is an unsigned int to gcc and clang. */
_Static_assert(sizeof(enum kind) == sizeof(unsigned) && sizeof(enum datatype) == sizeof(unsigned), "");

static int
read_choice(const struct definition_field *f, const struct cJSON *value, unsigned *out, struct err *e)
{
	if (envelope_type(value) != ENVELOPE_STRING)
		return field_refuse_type(f->name, "a string", value, e);
	for (unsigned i = 0; f->names[i] != NULL; i++)
		if (strcmp(f->names[i], envelope_text(value)) == 0) {
			*out = i;
			return 0;
		}
	return refuse_choice(f, envelope_text(value), e);
}

int
field_read(const struct definition_field *f, struct definition *d, const struct cJSON *value, struct err *e)
{
	void *member = (char *)d + f->at;

	switch (f->type) {
	case FIELD_BOOL:
		return read_bool(f, value, member, e);
	case FIELD_EXTENT:
		return field_read_extent(f->name, value, member, e);
	case FIELD_INT:
		return read_int(f, value, member, e);
	case FIELD_DOUBLE:
		return field_read_double(f->name, value, f->min, f->max, member, e);
	case FIELD_CHOICE:
		return read_choice(f, value, member, e);
	case FIELD_OWN:
		break;
	}
	return 0;
}

struct field_value
field_value(const struct definition_field *f, const struct definition *d)
{
	static const struct field_value null = { .type = FIELD_VALUE_NULL };
	const void *member = (const char *)d + f->at;

	switch (f->type) {
	case FIELD_BOOL:
		return (struct field_value){ FIELD_VALUE_BOOL, .truth = *(const bool *)member };
	case FIELD_EXTENT:
		if (*(const size_t *)member == 0)
			return null;
		return (struct field_value){ FIELD_VALUE_WHOLE, .whole = (int64_t) * (const size_t *)member };
	case FIELD_INT:
		return (struct field_value){ FIELD_VALUE_WHOLE, .whole = *(const int *)member };
	case FIELD_DOUBLE:
		if (*(const double *)member < f->min)
			return null;
		return (struct field_value){ FIELD_VALUE_NUMBER, .number = *(const double *)member };
	case FIELD_CHOICE:
		return (struct field_value){ FIELD_VALUE_TEXT, .text = f->names[*(const unsigned *)member] };
	case FIELD_OWN:
		break;
	}
	return f->value(d);
}

static void
write_pair(struct buf *b, const struct field_member pair[2])
{
	buf_printf(b, "{\"%s\":", pair[0].name);
	json_add_double(b, pair[0].number);
	buf_printf(b, ",\"%s\":", pair[1].name);
	json_add_double(b, pair[1].number);
	buf_byte(b, '}');
}

void
field_write(const struct definition_field *f, struct buf *b, const struct definition *d)
{
	const struct field_value v = field_value(f, d);
	char shape[512];

	switch (v.type) {
	case FIELD_VALUE_NULL:
		buf_text(b, "null");
		break;
	case FIELD_VALUE_BOOL:
		buf_text(b, v.truth ? "true" : "false");
		break;
	case FIELD_VALUE_WHOLE:
		buf_printf(b, "%" PRId64, v.whole);
		break;
	case FIELD_VALUE_NUMBER:
		json_add_double(b, v.number);
		break;
	case FIELD_VALUE_TEXT:
		buf_printf(b, "\"%s\"", v.text);
		break;
	case FIELD_VALUE_EXTENTS:
		buf_text(b, tensor_shape_text(v.extents.list, v.extents.count, shape, sizeof(shape)));
		break;
	case FIELD_VALUE_PAIR:
		write_pair(b, v.pair);
		break;
	}
}
