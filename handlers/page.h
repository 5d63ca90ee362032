/* SPDX-License-Identifier: MIT */
/*
 * Lists in pages: ?limit= names of those above ?after=, by the bytes of names. In lists without names `after` is a
 * number, whose meaning is the list's own.
 */
#pragma once

#include "handlers/input.h"

struct page {
	const char *after;     /* a name; NULL: from the first */
	uint64_t after_number; /* of a list without names; 0: from the first */
	size_t limit;
};

/* What a list takes. */
extern const struct input *const page_inputs[], *const page_numbered_inputs[];

/* Reads which page is asked for; `after` lives as long as the request. Error: bad_parameter. */
int page_get(const struct request *rq, struct page *out, struct err *e) MUST_CHECK;
int page_get_numbered(const struct request *rq, struct page *out, struct err *e) MUST_CHECK;

/* Ends a list and its object, with the member "next": the `after` of the next page, or null (NULL) on the last page. */
void page_end(struct buf *b, const char *next);
void page_end_numbered(struct buf *b, uint64_t next); /* the same of a number, as a string; 0: null */
