/* SPDX-License-Identifier: MIT */
/* Finds a tensor's shape as its brackets come; checks that lists of one level have one length. Private to codec/. */
#pragma once

#include "base/err.h"
#include "codec/tensor.h"

/* A shape that a body has given. */
struct json_shape {
	unsigned rank; /* 0: none was given */
	size_t extents[TENSOR_RANK_MAX];
	size_t count; /* their product */
};

enum json_extent { JSON_EXTENT_OK, JSON_EXTENT_WRONG, JSON_EXTENT_ONE_TOO_MANY, JSON_EXTENT_TOO_LARGE };

/*
 * Adds an extent, a JSON number, to a shape whose count is 1 at first; ends the shape, whose count is right only then.
 * WRONG: it is no whole number, or negative. TOO_LARGE: no memory has so many values.
 */
enum json_extent json_shape_add(struct json_shape *shape, const char *text, size_t len) MUST_CHECK;
void json_shape_end(struct json_shape *shape);

struct json_nesting {
	const char *name;                /* for messages */
	const struct json_shape *given;  /* the shape that came before the data; rank 0: none did */
	unsigned level;                  /* open lists; 0 when the outermost has ended */
	unsigned depth;                  /* levels of lists, the last of which hold the values; 0 while unknown */
	size_t extents[TENSOR_RANK_MAX]; /* the length of each level's lists; JSON_EXTENT_UNKNOWN until one has ended */
	size_t seen[TENSOR_RANK_MAX];    /* elements so far of each level's open list */
};

#define JSON_EXTENT_UNKNOWN SIZE_MAX

/* Starts with no list open. `name` and `given` must outlive the nesting. */
void json_nesting_begin(struct json_nesting *n, const char *name, const struct json_shape *given);

/* A list opens, or ends; a value comes. Checks that it may. Error: bad_tensor at `at`, the byte's offset. */
int json_nesting_open(struct json_nesting *n, uint64_t at, struct err *e) MUST_CHECK;
int json_nesting_close(struct json_nesting *n, uint64_t at, struct err *e) MUST_CHECK;
int json_nesting_value(struct json_nesting *n, uint64_t at, struct err *e) MUST_CHECK;

/* After json_nesting_value: how many values the innermost list can still take, as far as is known. */
static inline size_t
json_nesting_room(const struct json_nesting *n)
{
	return n->extents[n->level - 1] - n->seen[n->level - 1];
}

/* Counts `values` more in the innermost list. */
static inline void
json_nesting_add(struct json_nesting *n, size_t values)
{
	n->seen[n->level - 1] += values;
}

/* The levels of lists of a nested tensor of this shape: brackets end at the first extent of 0, [[],[]] is (2,0,3). */
unsigned json_nesting_depth(const size_t *shape, unsigned rank);

/* Whether data with these list lengths fits the shape: nested exactly so, or flat with as many values. */
bool json_nesting_fits(const size_t *extents, unsigned depth, const struct json_shape *given);
