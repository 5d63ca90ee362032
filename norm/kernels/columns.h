/* SPDX-License-Identifier: MIT */
/*
 * Views with short runs (inner < SHORT_RUN) as matrices: a loop along a short run would be mostly overhead, and one
 * along outer would jump through memory. A step is a stretch of memory with a block of features at one index of outer,
 * or at several where features are few (an RGB image, channels last). A column is one place in a step; the columns of a
 * feature are added up at the end. Private to norm/.
 */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "norm/view.h"

/* A vector never lies in two lines of the cache. */
#define LINE_ALIGNED __attribute__((aligned(64)))

/* The largest width of a step, and the length of the kernels' arrays on the stack. */
#define COLUMNS_MAX ((size_t)256)
#define SHORT_RUN ((size_t)16)
/* Steps that are added to the columns' sums together; STEPS is a multiple. */
#define COLUMNS_TOGETHER ((size_t)8)
/* Steps that memory is fetched ahead: the processor does not predict steps that lie far apart. */
#define AHEAD ((size_t)4)

/* Rows that go backward side by side: the sums per position are read and written once for all of them. */
#define ROWS_TOGETHER ((size_t)4)

/* Rows whose moments are taken together, and the doubles kept of them: they fit into the first-level cache. */
#define ROWS_MAX ((size_t)64)
#define ROWS_KEPT ((size_t)2048)
/* Elements of groups that are normalized together: they fit into the second-level cache. */
#define GROUPS_KEPT ((size_t)16384)

/* Whether sums are taken along inner, not by columns. */
static inline bool
view_is_long(struct norm_view v)
{
	return v.inner >= SHORT_RUN || v.outer == 1;
}

struct columns {
	size_t first;    /* the block's first feature */
	size_t features; /* features of the block */
	size_t inner;
	size_t rows; /* indices of outer in one step; 1 unless the block holds all features */
};

/* Features that fill vectors are steps of their own in passes forward: their numbers need not be spread. */
#define FILLING ((size_t)16)

static inline size_t
columns_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The block that begins with feature `first` of a view with inner < SHORT_RUN. */
static inline struct columns
columns_block(struct norm_view v, size_t first)
{
	struct columns c = { .first = first, .inner = v.inner, .rows = 1 };

	c.features = columns_min(v.feature - first, COLUMNS_MAX / v.inner);
	if (c.features == v.feature)
		c.rows = columns_min(v.outer, COLUMNS_MAX / (v.feature * v.inner));
	return c;
}

/* The same for passes forward, which read a column's numbers once for several steps. */
static inline struct columns
columns_block_forward(struct norm_view v, size_t first)
{
	struct columns c = columns_block(v, first);

	if (v.inner == 1 && v.feature % FILLING == 0)
		c.rows = 1;
	return c;
}

/* Columns of a step that begins `left` indices of outer before the end. The last step may be narrower. */
static inline size_t
columns_width(const struct columns *c, size_t left)
{
	return columns_min(c->rows, left) * c->features * c->inner;
}

/* Whether a column is a feature: then a feature's number need not be spread. */
static inline bool
columns_are_features(const struct columns *c)
{
	return c->rows == 1 && c->inner == 1;
}

/* out[column] = value[feature of the column] for a whole step. */
static inline void
columns_spread(const struct columns *c, const double *value, double *restrict out)
{
	const size_t width = c->features * c->inner;
	size_t row, f, i;

	if (c->inner == 1)
		memcpy(out, value, width * sizeof(*out));
	else
		for (f = 0; f < c->features; f++)
			for (i = 0; i < c->inner; i++)
				out[f * c->inner + i] = value[f];
	for (row = 1; row < c->rows; row++)
		memcpy(out + row * width, out, width * sizeof(*out));
}
