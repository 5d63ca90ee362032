/* SPDX-License-Identifier: MIT */
/* Running statistics that updates move, and updates by seeded random batches, for the tests of norm/update.h. */
#pragma once

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "norm/update.h"
#include "tests/unit/norm_reference.h"
#include "tests/unit/norm_run.h"
#include "tests/unit/unit.h"

#define FEATURES ((size_t)3)
#define VALUES ((size_t)240)

/* Statistics with their arrays. */
struct state {
	struct statistics s;
	double mean[FEATURES];
	double var[FEATURES];
};

/* As a layer begins: 0, 1, 0. */
static inline void
state_init(struct state *t)
{
	size_t f;

	for (f = 0; f < FEATURES; f++) {
		t->mean[f] = 0;
		t->var[f] = 1;
	}
	t->s = (struct statistics){ FEATURES, 0, 0, t->mean, t->var, 0 };
}

/* t <- u applied to t */
static inline enum update_result
state_apply(struct state *t, const struct update *u)
{
	struct state out;
	enum update_result result;

	memset(&out, 0xff, sizeof(out));
	out.s.mean = out.mean;
	out.s.var = out.var;
	result = update_apply(&t->s, u, &out.s);
	if (result != UPDATE_APPLIED)
		return result;
	ck_assert_uint_eq(out.s.features, FEATURES);
	memcpy(t->mean, out.mean, sizeof(out.mean));
	memcpy(t->var, out.var, sizeof(out.var));
	t->s.num_batches_tracked = out.s.num_batches_tracked;
	t->s.count = out.s.count;
	t->s.decayed_count = out.s.decayed_count;
	return result;
}

static inline void
state_check_equal(const struct state *a, const struct state *b)
{
	ck_assert_mem_eq(a->mean, b->mean, sizeof(a->mean));
	ck_assert_mem_eq(a->var, b->var, sizeof(a->var));
	ck_assert_uint_eq(a->s.num_batches_tracked, b->s.num_batches_tracked);
	ck_assert_uint_eq(a->s.count, b->s.count);
	ck_assert_mem_eq(&a->s.decayed_count, &b->s.decayed_count, sizeof(double));
}

/* The moments of rows `first` to `first + count` of (VALUES, FEATURES) as an update. */
struct batch {
	struct update u;
	double mean[FEATURES];
	double var[FEATURES];
};

static inline void
batch_init(struct batch *b, const double *x, size_t first, size_t count, enum averaging averaging, unsigned ddof)
{
	run_moments(NORM_DOUBLE, x + first * FEATURES, (struct norm_view){ count, FEATURES, 1 }, b->mean, b->var);
	b->u = (struct update){ averaging, 0.1, ddof, count, FEATURES, b->mean, b->var, 1 };
}

static inline void
values_init(double *x, uint64_t seed, double mean, double deviation)
{
	size_t i;

	for (i = 0; i < VALUES * FEATURES; i++)
		x[i] = mean * (double)(i % FEATURES + 1) + deviation * random_deviate(&seed);
}

static inline void
check_close(double a, double b, double scale, double bound)
{
	ck_assert_msg(fabs(a - b) <= bound * scale, "%.17g is not %.17g", a, b);
}
