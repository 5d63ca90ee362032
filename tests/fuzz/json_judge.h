/* SPDX-License-Identifier: MIT */
/*
 * A second opinion on whether a text is JSON: RFC 8259 written down as it stands, recursive and slow, sharing nothing
 * with the scanner that it judges.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct json_judgement {
	bool valid;     /* one value by the grammar, in UTF-8, surrogates in pairs */
	bool duplicate; /* an object has two equal keys; of valid texts */
	unsigned depth; /* the most lists and objects around one place; of valid texts */
	size_t longest; /* the characters of the longest number; of valid texts */
};

struct json_judgement json_judge(const char *text, size_t len);
