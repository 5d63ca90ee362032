/* SPDX-License-Identifier: MIT */
/* The table of a definition's fields. Private to definition.c. */
#ifndef LAYER_DEFINITION_FIELDS_H
#define LAYER_DEFINITION_FIELDS_H

#include "layer/definition.h"

/* A definition being read: what was said, apart from what it says. */
struct reading {
	struct definition *d;
	bool has_momentum, has_averaging, has_unbiased;
};

struct definition_field {
	const char *name;
	unsigned kinds;  /* bit 1 << kind: the kinds that have it */
	bool needed;     /* there is no default */
	bool takes_null; /* `read` gives null a meaning; for the other fields null counts as absent */
	/* Reads the field from the value of that name. */
	int (*read)(struct reading *r, const char *field, const struct cJSON *value, struct err *e);
	/* Writes the value; `features` stands in for num_features where that was left out. */
	void (*write)(struct buf *b, const struct definition *d, size_t features);
};

/* In the order in which they are shown. */
extern const struct definition_field definition_fields[];
extern const size_t definition_field_count;

/* The names of enum kind, enum convention, enum averaging. */
extern const char *const kind_names[KIND_COUNT];
extern const char *const convention_names[CONVENTION_COUNT];
extern const char *const averaging_names[AVERAGINGS];

/* A string that is one of `names`; *out is its place. */
int definition_read_choice(const char *field, const struct cJSON *value, const char *const *names, int count, int *out,
    struct err *e) MUST_CHECK;

#endif
