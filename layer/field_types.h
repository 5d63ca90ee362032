/* SPDX-License-Identifier: MIT */
/*
 * The types of a definition's fields: how a value is read from JSON, checked, and written. Private to definition*.c and
 * layer_digest.c.
 */
#pragma once

#include "layer/definition.h"

enum field_type {
	FIELD_BOOL,   /* bool */
	FIELD_EXTENT, /* size_t, from 1 to 2^40; 0 is written as null */
	FIELD_INT,    /* int, from min to max */
	FIELD_DOUBLE, /* double, from min to max; 0 is written as null where it is below min */
	FIELD_CHOICE, /* an enum, by its names */
	FIELD_OWN     /* has functions of its own */
};

/* The value of a field, for whoever writes it in some form. It may point into its definition. */
enum field_value_type {
	FIELD_VALUE_NULL,
	FIELD_VALUE_BOOL,
	FIELD_VALUE_WHOLE,
	FIELD_VALUE_NUMBER,
	FIELD_VALUE_TEXT,
	FIELD_VALUE_EXTENTS, /* a list of whole numbers */
	FIELD_VALUE_PAIR     /* an object of two numbers */
};

struct field_value {
	enum field_value_type type;
	union { /* by type */
		bool truth;
		int64_t whole; /* at most 2^53 in size, so exact as a double too */
		double number;
		const char *text;
		struct {
			const size_t *list;
			unsigned count;
		} extents;
		struct field_member {
			const char *name;
			double number;
		} pair[2];
	};
};

/* A row of the table of fields. */
struct definition_field {
	const char *name;
	unsigned kinds; /* bit 1 << kind: the kinds that have it */
	enum field_type type;
	size_t at; /* offset in struct definition */
	double min, max;
	const char *const *names; /* of a choice, in the order of its enum, NULL-terminated */

	bool needed;     /* there is no default */
	bool first;      /* others depend on it: read before them */
	bool takes_null; /* `read` gives null a meaning; for the other fields null counts as absent */

	/* Instead of the type's; NULL: the type's. `object` is the whole definition as it was given. */
	int (*read)(struct definition *d, const struct cJSON *value, const struct cJSON *object, struct err *e);
	struct field_value (*value)(const struct definition *d);
};

/* definition_fields.c: in the order in which they are shown and read, the `first` ones before the others. */
extern const struct definition_field definition_fields[];
extern const struct definition_field *const definition_fields_end;
#define DEFINITION_FIELDS_MAX 32

/* The names of enum kind. */
extern const char *const kind_names[KIND_COUNT + 1];
extern const char *const averaging_names[AVERAGINGS + 1];

/* Reads a value into its member of `d`; bad_parameter. */
int
field_read(const struct definition_field *f, struct definition *d, const struct cJSON *value, struct err *e) MUST_CHECK;
struct field_value field_value(const struct definition_field *f, const struct definition *d);
void field_write(const struct definition_field *f, struct buf *b, const struct definition *d); /* as JSON */

/* Whether a definition of this kind has the field. */
bool definition_has_field(const struct definition *d, const struct definition_field *f);

/* A definition whose number of features is `features` where it was left out. */
struct definition definition_with_features(const struct definition *d, size_t features);

/* Values by themselves, as the fields of these types read them; `field` names them in messages. */
int field_read_extent(const char *field, const struct cJSON *value, size_t *out, struct err *e) MUST_CHECK;
int field_read_double(
    const char *field, const struct cJSON *value, double min, double max, double *out, struct err *e) MUST_CHECK;

/* Gives -1: the field must be `wanted`. */
int field_refuse_type(const char *field, const char *wanted, const struct cJSON *value, struct err *e);

/* The largest extent: more than any machine holds, and the bytes still fit a size_t. */
#define FIELD_EXTENT_MAX ((uint64_t)1 << 40)
