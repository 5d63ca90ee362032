/* SPDX-License-Identifier: MIT */
/* Statistics, parameters and moments in a body: plain lists or tensor objects, float64 throughout. */
#ifndef HANDLERS_DOUBLES_H
#define HANDLERS_DOUBLES_H

#include "handlers/request.h"

/*
 * The values of slot `slot`, member `name`, as doubles that live as long as the request; *count is their number,
 * *tensor (where not NULL) the tensor itself. A tensor that is not of rank 1 is shape_mismatch unless `any_rank`.
 * *values is NULL and the result 0 when the member is absent or null, which `optional` allows; else that is
 * bad_parameter.
 */
struct doubles_wanted {
	size_t slot;
	const char *name;
	bool any_rank;
	bool optional;
};

int doubles_get(struct request *rq, const struct cJSON *body, struct doubles_wanted wanted, double **values,
    size_t *count, struct err *e) MUST_CHECK;

/* Refuses a variance with a negative value. */
int doubles_check_variance(const char *name, const double *var, size_t n, struct err *e) MUST_CHECK;

/* Refuses the calls on statistics for a layer that keeps none. */
int doubles_check_tracks(const struct request *rq, struct err *e) MUST_CHECK;

/* Refuses `n` values where the layer has `features`; 0 features are not fixed yet and take any number but 0. */
int doubles_check_features(const char *name, size_t n, size_t features, struct err *e) MUST_CHECK;

/* A count in the body: `fallback` when it is absent, else 0 to 2^63 - 1. */
int doubles_count(
    const struct cJSON *body, const char *name, const uint64_t *fallback, uint64_t *out, struct err *e) MUST_CHECK;

#endif
