/* SPDX-License-Identifier: MIT */
/* What the tests of windows share: stores, a layer, values that are added to its window, and what it then has. */
#pragma once

#include <check.h>

#include "storage/windows.h"
#include "tests/unit/scratch_store.h"

#define FEATURES 3

/* No window is saved in time: only when the store closes. */
#define NEVER_US ((uint64_t)3600 * 1000000)

/* With each batch. */
#define ALWAYS_US 1

static inline struct store *
open_saving(uint64_t interval_us)
{
	return scratch_open_options(
	    (struct store_options){ .queue_max = SCRATCH_QUEUE_MAX, .windows_interval_us = interval_us });
}

/* A layer with statistics of mean 0 and variance 1, and FEATURES of them. */
static inline void
make_layer(struct store *s, const char *layer)
{
	double mean[FEATURES] = { 0 }, var[FEATURES] = { 1, 1, 1 };
	const struct statistics put = { .features = FEATURES, .mean = mean, .var = var };

	(void)scratch_write(s,
	    (struct store_write){
		.kind = STORE_LAYER_CREATE, .layer = layer, .create = { .definition = "d", .features = FEATURES } });
	(void)scratch_write(
	    s, (struct store_write){ .kind = STORE_STATISTICS_PUT, .layer = layer, .statistics = &put });
}

/* `count` values of each feature: half of them `mean` - 1, half of them `mean` + 1. */
static inline void
add_to(const struct snapshot *state, uint64_t count, double mean)
{
	const double means[FEATURES] = { mean, 2 * mean, -mean }, vars[FEATURES] = { 1, 1, 1 };

	store_window_add(state, &(struct moments){ count, means, vars });
}

static inline void
add(struct store *s, const char *layer, uint64_t count, double mean)
{
	const struct snapshot *state = scratch_layer(s, layer);

	ck_assert_ptr_nonnull(state);
	add_to(state, count, mean);
	snapshot_unref(state);
}

static inline struct store_op
get(struct store *s, const char *layer)
{
	struct store_op op =
	    scratch_run(s, (struct store_op){ .kind = STORE_WINDOW_GET, .window = { .model = "m", .layer = layer } });

	ck_assert_msg(op.err.code == ERR_NONE, "%s", op.err.detail);
	return op;
}

static inline void
check(struct store *s, const char *layer, uint64_t count, double mean, double var)
{
	struct store_op op = get(s, layer);
	const struct moments *m = &op.window.moments;

	ck_assert_uint_eq(m->count, count);
	if (count > 0) {
		ck_assert_double_eq_tol(m->mean[0], mean, 1e-12);
		ck_assert_double_eq_tol(m->mean[1], 2 * mean, 1e-12);
		ck_assert_double_eq_tol(m->mean[2], -mean, 1e-12);
		ck_assert_double_eq_tol(m->var[0], var, 1e-12);
		ck_assert_int_gt(op.window.since_s, 0);
	} else {
		ck_assert(m->mean == NULL && m->var == NULL);
	}
	store_op_fini(&op);
}
