/* SPDX-License-Identifier: MIT */
/* A look at the tensor of a call (layer/call.h), whose values may be NaN or infinite, beside the running statistics. */
#pragma once

#include "layer/call.h"
#include "norm/pass.h"

/* Values farther from the running mean than this many running deviations are counted. */
#define SURVEY_REACH 3.0

struct survey {
	uint64_t count;           /* values of each feature, NaN and infinite ones too, padding not */
	struct norm_tally *tally; /* of each feature; NULL where count is 0 */
	double *mean, *var;       /* of its finite values; biased; beyond doubles, the largest double */
	uint64_t *finite;         /* how many these are */
};

/*
 * Counts and measures the values of each of the view's features, except padding. The tensor is only read; padding may
 * be overwritten. Takes memory from the workspace. Errors: not_trained; overloaded, body_too_large.
 */
int call_survey(struct call *c, struct survey *out, struct err *e) MUST_CHECK;
