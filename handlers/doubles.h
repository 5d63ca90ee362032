/* SPDX-License-Identifier: MIT */
/* Statistics, parameters and moments in a body: lists or tensor objects, converted to doubles. */
#pragma once

#include "handlers/option.h"

/* The learned scale and shift. */
extern const struct input weight_input, bias_input;

/* What a list of statistics is declared with, one value per feature; and a count of values or batches. */
#define DOUBLES_PER_FEATURE INPUT_TENSOR, INPUT_BODY, .datatype = DATATYPE_FP64, .needed = true, .one_extent = true
#define DOUBLES_COUNT INPUT_UINT, INPUT_BODY, .max = STATISTICS_COUNT_MAX

/* The number of values in statistics that are imported. */
extern const struct input statistics_count_input;

/* The moments of values that a client has measured. */
extern const struct input moments_mean_input, moments_var_input, moments_count_input;

/*
 * The values of a tensor as doubles that live as long as the request; *count is their number. *values is NULL and the
 * result 0 where the member is absent or null, unless the input is needed. Errors: bad_parameter; shape_mismatch for a
 * tensor with more than one dimension where the input has `one_extent`.
 */
int doubles_get(struct request *rq, const struct input *in, double **values, size_t *count, struct err *e) MUST_CHECK;

/*
 * Pooled and decayed averaging weigh statistics by the number of values in them. doubles_read_weight reads it: a whole
 * number, of decayed averaging any. doubles_check_weight refuses statistics without values, unless they are the initial
 * ones, mean 0 and variance 1; `name` is that of the number. Error: bad_parameter.
 */
int doubles_read_weight(
    const struct option *count, const struct definition *d, struct statistics *s, struct err *e) MUST_CHECK;
int doubles_check_weight(const struct statistics *s, const char *name, struct err *e) MUST_CHECK;

/* Refuses negative values and NaN: bad_parameter. */
int doubles_check_variance(const char *name, const double *var, size_t n, struct err *e) MUST_CHECK;

/* Refuses a layer that keeps no running statistics: bad_parameter. */
int doubles_check_tracks(const struct request *rq, struct err *e) MUST_CHECK;

/* Refuses `n` values unless there must be `expected`: shape_mismatch. */
int doubles_check_count(const char *name, size_t n, size_t expected, struct err *e) MUST_CHECK;

/* Refuses `n` values unless the layer has `features` (0: not fixed yet, any number except 0): shape_mismatch. */
int doubles_check_features(const char *name, size_t n, size_t features, struct err *e) MUST_CHECK;

/* Reads moments of the layer's features, in the request's memory. Errors: bad_parameter, shape_mismatch. */
int doubles_get_moments(struct request *rq, struct moments *out, size_t *features, struct err *e) MUST_CHECK;
