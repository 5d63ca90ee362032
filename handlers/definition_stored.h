/* SPDX-License-Identifier: MIT */
/* Definitions as text: what the store keeps of a layer, and what a query may hold. */
#ifndef HANDLERS_DEFINITION_STORED_H
#define HANDLERS_DEFINITION_STORED_H

#include "layer/definition.h"
#include "storage/store.h"

/* definition_parse of a JSON text; also bad_json, whose offset is in that text. */
int definition_parse_text(const char *text, struct definition *out, struct err *e) MUST_CHECK;

/*
 * Whether a stored layer fits its definition (a struct definition): its number of features (0: not fixed yet), and the
 * lengths of weight and bias (0: the default). -1 with `e`, whose detail is for the operator.
 */
int
definition_judge(const void *parsed, size_t features, size_t weight_count, size_t bias_count, struct err *e) MUST_CHECK;

/* For the store: parses a stored definition into a struct definition, and frees it. */
extern const struct store_definition_ops definition_ops;

#endif
