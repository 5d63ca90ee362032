/* SPDX-License-Identifier: MIT */
/*
 * Values of settings: text to typed values, by a rule that each setting has. An error's detail is what follows the
 * setting's name in a sentence: `is "many"; it must be a whole number from 0 to 256`.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct value_rule {
	/* Reads a text into `out`, whose type is the function's. The text must live as long as the value. */
	int (*parse)(const struct value_rule *rule, const char *text, void *out, struct err *e);
	size_t offset;              /* of the value in the struct that has all values */
	unsigned min, max;          /* of a whole number; of a time, in seconds; of a size, min 0 allows 0 */
	const char *const *choices; /* the names of a choice, up to NULL */
};

/* Where to listen. */
struct value_address {
	char host[256]; /* without brackets */
	char port[8];
};

/* "64MiB", "10MB", "4k", "123" as bytes, at most 2^46: size_t. */
int value_size(const struct value_rule *rule, const char *text, void *out, struct err *e) MUST_CHECK;

/* Seconds, or a whole number with the unit s, m, h or d, as seconds: unsigned. */
int value_time(const struct value_rule *rule, const char *text, void *out, struct err *e) MUST_CHECK;

/* unsigned. */
int value_number(const struct value_rule *rule, const char *text, void *out, struct err *e) MUST_CHECK;

/* The index of a choice: unsigned, or an enum that has no negative value. */
int value_choice(const struct value_rule *rule, const char *text, void *out, struct err *e) MUST_CHECK;

/* true, yes, 1, false, no, 0: bool. */
int value_flag(const struct value_rule *rule, const char *text, void *out, struct err *e) MUST_CHECK;

/* ADDR:PORT, where an IPv6 address stands in brackets: struct value_address. */
int value_address(const struct value_rule *rule, const char *text, void *out, struct err *e) MUST_CHECK;

/* The name of a file, or "" for none: const char *. */
int value_path(const struct value_rule *rule, const char *text, void *out, struct err *e) MUST_CHECK;

/* The URL of a store (storage/store.h): const char *. */
int value_store(const struct value_rule *rule, const char *text, void *out, struct err *e) MUST_CHECK;

/* Origins of web pages: struct origins. */
int value_origins(const struct value_rule *rule, const char *text, void *out, struct err *e) MUST_CHECK;
