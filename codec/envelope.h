/* SPDX-License-Identifier: MIT */
/*
 * The envelope: a JSON body without its tensors, as a tree in which members are looked up. The scanner (json_scan.h)
 * checks the syntax, the depth and the keys, and passes to cJSON a text in which
 *
 *   a number is the string "n" + its text as sent (as a double, 2^53 + 1 would lose its last digit),
 *   a string is the string "s" + its contents,
 *   a tensor is the string "t" + its slot's index.
 *
 * The functions here undo that. Values belong to the envelope, which belongs to its scanner.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct cJSON; /* a node */

#define ENVELOPE_SHOWN_BYTES 72

enum envelope_type {
	ENVELOPE_ABSENT, /* the value is NULL: there is no such member */
	ENVELOPE_NULL,
	ENVELOPE_BOOL,
	ENVELOPE_NUMBER,
	ENVELOPE_STRING,
	ENVELOPE_ARRAY,
	ENVELOPE_OBJECT,
	ENVELOPE_TENSOR /* a list of numbers that a slot took */
};

/* For messages that expect a list: JSON.stringify makes an object, {"0":1,"1":2}, of a JavaScript typed array. */
#define JSON_TYPED_ARRAY_HINT " (a typed array of JavaScript is sent as a list by Array.from(array))"

enum envelope_type envelope_type(const struct cJSON *value);

/* "a number" */
const char *envelope_type_name(enum envelope_type type);

/* What a message shows of a value: -1, true, "abc" (cut if it is long), "a list", or "absent". Returns `out`. */
const char *envelope_shown(const struct cJSON *value, char out[ENVELOPE_SHOWN_BYTES]);

/*
 * The member `key` of an object, or NULL, also if `object` is NULL or not an object. A member that is null counts as
 * absent, because typed clients write unset members so; code that gives null a meaning walks the members.
 */
const struct cJSON *envelope_get(const struct cJSON *object, const char *key);

/* Walk a list's elements or an object's members: the first, the next; NULL at the end. The key of a member. */
const struct cJSON *envelope_first(const struct cJSON *value);
const struct cJSON *envelope_next(const struct cJSON *value);
const char *envelope_key(const struct cJSON *value);

/* The value of an ENVELOPE_BOOL; the text of an ENVELOPE_STRING, in UTF-8, or of an ENVELOPE_NUMBER, as sent. */
bool envelope_bool(const struct cJSON *value);
const char *envelope_text(const struct cJSON *value);

/* A number as a double. -1: it is not a number, or overflows. */
int envelope_double(const struct cJSON *value, double *out) MUST_CHECK;

/* A whole number ("3", "-1", also "3.0" and "3e2"), exactly. -1: it is not one, or out of the type's range. */
int envelope_uint64(const struct cJSON *value, uint64_t *out) MUST_CHECK;
int envelope_int64(const struct cJSON *value, int64_t *out) MUST_CHECK;
