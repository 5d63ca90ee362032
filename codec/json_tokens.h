/* SPDX-License-Identifier: MIT */
/* The scanner's state and its step from token to token; json_scan.c has the rest. Private to codec/. */
#ifndef CODEC_JSON_TOKENS_H
#define CODEC_JSON_TOKENS_H

#include "codec/json_keys.h"
#include "codec/json_scan.h"
#include "codec/json_slots.h"
#include "codec/json_string.h"

enum scan_state {
	SCAN_VALUE,        /* a value must come */
	SCAN_VALUE_OR_END, /* after '[' */
	SCAN_KEY,          /* after a ',' in an object */
	SCAN_KEY_OR_END,   /* after '{' */
	SCAN_COLON,
	SCAN_COMMA,  /* after a value in a list or an object */
	SCAN_DONE,   /* after the root */
	SCAN_IN_KEY, /* the rest: within something that the input may cut */
	SCAN_IN_STRING,
	SCAN_IN_NUMBER,
	SCAN_IN_LITERAL,
	SCAN_IN_TENSOR
};

/* A list or an object that is open. */
struct scan_frame {
	bool object;
	struct json_place place;
	size_t keys_from; /* of an object: its first key in `keys` */
};

struct json_scan {
	enum scan_state state;
	uint64_t fed;            /* bytes of all pieces before the current one */
	struct json_place place; /* of the value that comes next, or is being read */
	unsigned depth;          /* of `frames` */

	struct buf text;   /* the envelope's text so far */
	uint64_t token_at; /* where the current token began, in the document */
	size_t token_text; /* and in `text` */

	/* what is being read */
	struct json_string string;
	enum json_number number;
	const char *literal; /* what must still come of it */
	struct json_array array;

	struct json_keys keys;
	size_t nodes; /* of the envelope so far: values, and those that are tensors */
	struct cJSON *envelope;

	/* Large, and written before they are read: the only members that a new scanner does not have zeroed. */
	struct json_slots slots;
	struct scan_frame frames[JSON_DEPTH_MAX];
};

/*
 * Takes one token, or what the input (not at its end) has of it. Returns a negative number on errors, of which those of
 * the envelope's text (s->text) are not looked for here.
 */
int json_tokens_step(struct json_scan *s, struct json_input *in, struct err *e) MUST_CHECK;

/* The document ends within or after a number that is its root. */
int json_tokens_end(struct json_scan *s, struct err *e) MUST_CHECK;

#endif
