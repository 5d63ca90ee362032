/* SPDX-License-Identifier: MIT */
#include "codec/json_nesting.h"

#include <stdio.h>
#include <string.h>

#include "codec/json_integer.h"

#define SHAPE_TEXT 160

enum json_extent
json_shape_add(struct json_shape *shape, const char *text, size_t len)
{
	uint64_t extent;
	bool negative;

	if (json_integer_parse(text, len, &negative, &extent) < 0 || (negative && extent != 0) || extent > SIZE_MAX)
		return JSON_EXTENT_WRONG;
	if (shape->rank == TENSOR_RANK_MAX)
		return JSON_EXTENT_ONE_TOO_MANY;
	shape->extents[shape->rank++] = (size_t)extent;
	/* An extent of 0 is left out, so that an overflow of the others is found. */
	if (extent != 0 &&
	    (__builtin_mul_overflow(shape->count, (size_t)extent, &shape->count) ||
		shape->count > SIZE_MAX / sizeof(double)))
		return JSON_EXTENT_TOO_LARGE;
	return JSON_EXTENT_OK;
}

void
json_shape_end(struct json_shape *shape)
{
	for (unsigned i = 0; i < shape->rank; i++)
		if (shape->extents[i] == 0)
			shape->count = 0;
}

void
json_nesting_begin(struct json_nesting *n, const char *name, const struct json_shape *given)
{
	n->name = name;
	n->given = given;
	n->level = 0;
	n->depth = 0;
	for (unsigned i = 0; i < TENSOR_RANK_MAX; i++)
		n->extents[i] = JSON_EXTENT_UNKNOWN;
}

unsigned
json_nesting_depth(const size_t *shape, unsigned rank)
{
	unsigned depth = 0;

	while (depth < rank && shape[depth++] != 0)
		;
	return depth;
}

bool
json_nesting_fits(const size_t *extents, unsigned depth, const struct json_shape *given)
{
	if (depth == 1 && extents[0] == given->count)
		return true;
	return depth == json_nesting_depth(given->extents, given->rank) &&
	    memcmp(extents, given->extents, depth * sizeof(*extents)) == 0;
}

/* Values stand directly in the outermost list, which must have as many as the given shape. */
static void
nesting_fix_flat(struct json_nesting *n)
{
	n->depth = 1;
	if (n->given->rank > 0)
		n->extents[0] = n->given->count;
}

/* The first list within a list: lists must have the given shape, if there is one. */
static void
nesting_fix_nested(struct json_nesting *n)
{
	const struct json_shape *given = n->given;

	if (given->rank == 0)
		return;
	n->depth = json_nesting_depth(given->extents, given->rank);
	memcpy(n->extents, given->extents, n->depth * sizeof(*n->extents));
}

/* A list is too long or too short: its length must be that of the shape, or of the lists before it. */
static int
nesting_wrong_length(const struct json_nesting *n, const char *found, size_t extent, uint64_t at, struct err *e)
{
	const char *plural = err_plural(extent);
	char shape[SHAPE_TEXT];

	if (n->given->rank == 0)
		return err_fail_at(e, ERR_BAD_TENSOR, at,
		    "%s: this list has %s; the lists before it have %zu element%s", n->name, found, extent, plural);
	return err_fail_at(e, ERR_BAD_TENSOR, at, "%s: this list has %s; shape %s needs %zu element%s", n->name, found,
	    tensor_shape_text(n->given->extents, n->given->rank, shape, sizeof(shape)), extent, plural);
}

/* Checks that the innermost list may have another element. */
static int
nesting_check_room(const struct json_nesting *n, uint64_t at, struct err *e)
{
	const size_t extent = n->extents[n->level - 1];

	return n->seen[n->level - 1] < extent ? 0 : nesting_wrong_length(n, "more elements", extent, at, e);
}

/* A list stands where values are expected, or the reverse. */
static int
nesting_mixed(const struct json_nesting *n, const char *found, const char *expected, uint64_t at, struct err *e)
{
	char shape[SHAPE_TEXT];

	if (n->given->rank == 0)
		return err_fail_at(
		    e, ERR_BAD_TENSOR, at, "%s: found %s; the elements before it are %s", n->name, found, expected);
	return err_fail_at(e, ERR_BAD_TENSOR, at, "%s: found %s; shape %s needs %s here", n->name, found,
	    tensor_shape_text(n->given->extents, n->given->rank, shape, sizeof(shape)), expected);
}

int
json_nesting_open(struct json_nesting *n, uint64_t at, struct err *e)
{
	if (n->level == TENSOR_RANK_MAX)
		return err_fail_at(
		    e, ERR_BAD_TENSOR, at, "%s: lists may be nested at most %d deep", n->name, TENSOR_RANK_MAX);
	if (n->level == 1 && n->depth == 0)
		nesting_fix_nested(n);
	if (n->depth != 0 && n->level >= n->depth)
		return nesting_mixed(n, "a list", "numbers", at, e);
	if (n->level > 0) {
		if (nesting_check_room(n, at, e) < 0)
			return -1;
		json_nesting_add(n, 1);
	}
	n->seen[n->level++] = 0;
	return 0;
}

int
json_nesting_value(struct json_nesting *n, uint64_t at, struct err *e)
{
	if (n->depth == 0) {
		if (n->level == 1)
			nesting_fix_flat(n);
		n->depth = n->level;
	}
	if (n->level < n->depth)
		return nesting_mixed(n, "a number", "lists", at, e);
	return nesting_check_room(n, at, e);
}

int
json_nesting_close(struct json_nesting *n, uint64_t at, struct err *e)
{
	size_t seen = n->seen[n->level - 1];
	size_t *extent = &n->extents[n->level - 1];
	char found[48];

	/* An empty list is as deep as one with values: nothing can come below it. */
	if (n->depth == 0 && n->level == 1)
		nesting_fix_flat(n);
	if (n->depth == 0)
		n->depth = n->level;
	if (*extent == JSON_EXTENT_UNKNOWN)
		*extent = seen;
	if (seen != *extent) {
		snprintf(found, sizeof(found), "%zu element%s", seen, err_plural(seen));
		return nesting_wrong_length(n, found, *extent, at, e);
	}
	n->level--;
	return 0;
}
