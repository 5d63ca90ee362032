/* SPDX-License-Identifier: MIT */
/* The types of options: a row of functions each. Private to option.c. */
#ifndef HANDLERS_OPTION_TYPES_H
#define HANDLERS_OPTION_TYPES_H

#include "handlers/input.h"

#define OPTION_WANTED_BYTES 128

struct option_type {
	/* A value in the query, and one in the body. -1: it is not of the type. */
	int (*from_text)(const struct input *in, const char *text, size_t len, uint64_t *out);
	int (*from_member)(const struct input *in, const struct cJSON *member, uint64_t *out);
	/* What a value must be, for messages. */
	void (*describe)(const struct input *in, char out[OPTION_WANTED_BYTES]);
};

/* By the type of an input, or of the values of its list. NULL: its handler reads it. */
extern const struct option_type *const option_types[];

#endif
