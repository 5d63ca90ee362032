/* SPDX-License-Identifier: MIT */
/* A layer of two channels and a tensor of four samples, for tests of calls (layer/call.h). */
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "layer/call.h"
#include "tests/unit/unit.h"

#define N 4
#define C 2

static const double samples[N * C] = { 1, 10, 2, 20, 3, 30, 6, 60 }; /* by channel: mean 3, 30; var 3.5, 350 */

/* A layer, a tensor of it, and a call of both. */
struct fixture {
	struct budget budget;
	struct workspace ws;
	struct definition definition;
	double running_mean[C], running_var[C];
	double x[N * C], g[N * C];
	struct tensor tensor, gradient;
	struct call call;
	struct err e;
};

static inline void
begin(struct fixture *f, struct definition d)
{
	memset(f, 0, sizeof(*f));
	f->definition = d;
	memcpy(f->x, samples, sizeof(f->x));
	budget_init(&f->budget, (size_t)1 << 20);
	workspace_init(&f->ws, &f->budget, (size_t)1 << 20);
	f->tensor =
	    (struct tensor){ .datatype = DATATYPE_FP64, .rank = 2, .shape = { N, C }, .count = N * C, .values = f->x };
	f->gradient = f->tensor;
	f->gradient.values = f->g;
	f->call = (struct call){ .name = "l", .definition = &f->definition, .workspace = &f->ws, .tensor = &f->tensor };
	f->call.statistics.features = C;
}

/* Running statistics: mean 1, 10; var 4, 100. */
static inline void
track(struct fixture *f)
{
	static const double mean[C] = { 1, 10 }, var[C] = { 4, 100 };

	memcpy(f->running_mean, mean, sizeof(mean));
	memcpy(f->running_var, var, sizeof(var));
	f->call.statistics.mean = f->running_mean;
	f->call.statistics.var = f->running_var;
}

static inline void
end(struct fixture *f)
{
	workspace_fini(&f->ws);
	ck_assert_uint_eq(atomic_load(&f->budget.bytes), 0);
}

static inline struct definition
batch_norm(void)
{
	return (struct definition){ .kind = KIND_BATCH_NORM,
		.affine = true,
		.bias = true,
		.track_running_stats = true,
		.momentum = 0.1,
		.unbiased_running_var = true,
		.with_mean = true,
		.channel_axis = 1 };
}

/* Whether `x` is (samples - mean) / sqrt(var) in each channel. */
static inline void
check_normalized(const double *x, const double *mean, const double *var)
{
	for (size_t i = 0; i < N * C; i++)
		ck_assert_double_eq_tol(x[i], (samples[i] - mean[i % C]) / sqrt(var[i % C]), 1e-12);
}
