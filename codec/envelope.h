/* SPDX-License-Identifier: MIT */
/*
 * The envelope: all of a JSON body but its tensors, as a tree to look members up in. The scanner (json_scan.h) has
 * checked the syntax, the depth and the keys before; what it passes on to cJSON is a text in which
 *
 *   a number is the string "n" + its text as sent      (cJSON would read it as a double: 2^53 + 1 would lose its last
 *   digit) a string is the string "s" + its contents a tensor is the string "t" + its slot's index      (the values
 *   themselves never pass through here)
 *
 * so that nothing is lost. The functions here undo that. Values belong to the envelope, which belongs to its scanner.
 */
#ifndef CODEC_ENVELOPE_H
#define CODEC_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct cJSON; /* a node */

#define ENVELOPE_SHOWN_BYTES 72

enum envelope_type {
	ENVELOPE_ABSENT, /* of NULL: the member is not there */
	ENVELOPE_NULL,
	ENVELOPE_BOOL,
	ENVELOPE_NUMBER,
	ENVELOPE_STRING,
	ENVELOPE_ARRAY,
	ENVELOPE_OBJECT,
	ENVELOPE_TENSOR /* an array of numbers that a slot took */
};

/*
 * For messages where a list is wanted: what JSON.stringify makes of a JavaScript typed array is an object,
 * {"0":1,"1":2}.
 */
#define JSON_TYPED_ARRAY_HINT " (a typed array of JavaScript is sent as a list by Array.from(array))"

enum envelope_type envelope_type(const struct cJSON *value);

/* "a number", for messages. */
const char *envelope_type_name(enum envelope_type type);

/* What a message shows of a value: -1, true, "abc" (cut when it is long), "a list", or "absent". Returns `out`. */
const char *envelope_shown(const struct cJSON *value, char out[ENVELOPE_SHOWN_BYTES]);

/*
 * The member `key` of an object, or NULL (also where `object` is NULL or no object). A member that is null counts as
 * absent: typed clients write unset members so. Code that gives null a meaning walks the members.
 */
const struct cJSON *envelope_get(const struct cJSON *object, const char *key);

/* Walk an array's elements or an object's members: first child, next sibling; NULL at the end. The key of a member. */
const struct cJSON *envelope_first(const struct cJSON *value);
const struct cJSON *envelope_next(const struct cJSON *value);
const char *envelope_key(const struct cJSON *value);

bool envelope_bool(const struct cJSON *value);               /* of ENVELOPE_BOOL */
const char *envelope_string(const struct cJSON *value);      /* of ENVELOPE_STRING; NUL-terminated UTF-8 */
const char *envelope_number_text(const struct cJSON *value); /* of ENVELOPE_NUMBER: as sent */

/* A number as double. Returns -1 when it is no number or overflows. */
int envelope_double(const struct cJSON *value, double *out) MUST_CHECK;

/* A whole number: "3", "-1", also "3.0" and "3e2", exactly. Returns -1 when it is none, or out of the type's range. */
int envelope_uint64(const struct cJSON *value, uint64_t *out) MUST_CHECK;
int envelope_int64(const struct cJSON *value, int64_t *out) MUST_CHECK;

#endif
