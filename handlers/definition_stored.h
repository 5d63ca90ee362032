/* SPDX-License-Identifier: MIT */
/* Definitions as the store keeps them: as text. */
#pragma once

#include "layer/definition.h"
#include "storage/store.h"

/* definition_parse without `others`, into a struct definition; an option_read_json. */
int definition_read(void *parsed, const struct cJSON *object, struct err *e) MUST_CHECK;

/*
 * Whether a stored layer fits its definition (a struct definition): its number of features (0: not fixed yet), and the
 * lengths of weight and bias (0: the default). -1 with `e`, whose detail is for the operator.
 */
int
definition_judge(const void *parsed, size_t features, size_t weight_count, size_t bias_count, struct err *e) MUST_CHECK;

/* For the store: parses a stored definition into a struct definition, and frees it. */
extern const struct store_definition_ops definition_ops;
