/* SPDX-License-Identifier: MIT */
/* Passes over whole tensors, run as the daemon runs them (layer/pass_run.h), without a crew. */
#pragma once

#include "layer/pass_run.h"
#include "norm/normalize.h"

static inline bool
run(struct norm_pass pass)
{
	return pass_run(NULL, &pass);
}

/* A pass over x in place; the caller sets what else the operation needs. */
static inline struct norm_pass
pass_over(const struct norm_op *op, enum norm_real real, void *x, struct norm_view view)
{
	return (struct norm_pass){ .op = op, .real = real, .view = view, .x = x, .y = x };
}

static inline void
run_moments(enum norm_real real, const void *x, struct norm_view view, double *mean, double *var)
{
	(void)run(
	    (struct norm_pass){ .op = &norm_moments, .real = real, .view = view, .x = x, .mean = mean, .var = var });
}

/* One of the passes that normalize by given numbers. */
static inline bool
run_by(const struct norm_op *op, enum norm_real real, void *x, struct norm_view view, struct norm_by by)
{
	struct norm_pass pass = pass_over(op, real, x, view);

	pass.by = by;
	return run(pass);
}

static inline bool
run_rows(enum norm_real real, void *x, size_t rows, size_t size, bool centered, double eps, struct norm_by by)
{
	struct norm_pass pass = pass_over(&norm_rows, real, x, (struct norm_view){ 1, rows, size });

	pass.centered = centered;
	pass.eps = eps;
	pass.by = by;
	return run(pass);
}

static inline bool
run_groups(enum norm_real real, void *x, struct norm_view view, size_t groups, double eps, struct norm_by by)
{
	struct norm_pass pass = pass_over(&norm_groups, real, x, view);

	pass.groups = groups;
	pass.eps = eps;
	pass.by = by;
	return run(pass);
}

static inline void
run_clip(enum norm_real real, void *x, size_t count, double limit)
{
	struct norm_pass pass = pass_over(&norm_clip, real, x, (struct norm_view){ 1, 1, count });

	pass.limit = limit;
	(void)run(pass);
}

/* Weight and bias alone, for passes that measure. */
static inline struct norm_by
affine(const double *weight, const double *bias)
{
	return (struct norm_by){ .weight = weight, .bias = bias };
}
