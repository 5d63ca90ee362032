/* SPDX-License-Identifier: MIT */
/* The scanner's state, and its step from token to token. Private to codec/. */
#pragma once

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
	SCAN_IN_KEY, /* this and those that follow: in a token that the input may cut */
	SCAN_IN_STRING,
	SCAN_IN_NUMBER,
	SCAN_IN_LITERAL,
	SCAN_IN_TENSOR
};

/* An open list or object. */
struct scan_frame {
	bool object;
	struct json_place place;
	size_t keys_from; /* an object's first key in `keys` */
};

struct json_scan {
	enum scan_state state;
	uint64_t fed;            /* bytes before the current piece */
	struct json_place place; /* of the next value, or the one that is being read */
	unsigned depth;          /* of `frames` */

	struct buf text; /* the envelope's text so far */
	size_t envelope_max;
	uint64_t token_at; /* the current token's beginning in the document */
	size_t token_text; /* and in `text` */

	/* the token that is being read */
	struct json_string string;
	enum json_number number;
	const char *literal; /* its rest */
	struct json_array array;

	struct json_keys keys;
	size_t nodes; /* of the envelope so far; each tensor is one */
	struct cJSON *envelope;

	/* Large, and written before they are read: these are not zeroed in a new scanner. */
	struct json_slots slots;
	struct scan_frame frames[JSON_DEPTH_MAX];
};

/* Takes one token, or as much of it as the input has, at least a byte. Does not check s->text for failure. */
int json_tokens_step(struct json_scan *s, struct json_input *in, struct err *e) MUST_CHECK;

/* The document has ended: so has a number that is its root. */
int json_tokens_end(struct json_scan *s, struct err *e) MUST_CHECK;
