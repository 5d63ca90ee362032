/* SPDX-License-Identifier: MIT */
/* The table of a definition's fields. Private to definition.c. */
#ifndef LAYER_DEFINITION_FIELDS_H
#define LAYER_DEFINITION_FIELDS_H

#include "layer/field_types.h"

/* In the order in which they are shown and read, the `first` ones before the others. */
extern const struct definition_field definition_fields[];
extern const struct definition_field *const definition_fields_end;

/* The names of enum kind. */
extern const char *const kind_names[KIND_COUNT + 1];

#endif
