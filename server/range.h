/* SPDX-License-Identifier: MIT */
/*
 * Which bytes of an answer a client gets: all, a part (Range; RFC 9110, section 14), or none because it has them
 * already (If-None-Match; section 13). Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The headers of a GET or HEAD that ask for that; NULL: absent. */
struct range_wishes {
	const char *range; /* of a GET alone; NULL also where the header is given twice */
	const char *if_range;
	const char *if_none_match;
};

enum range_choice {
	RANGE_WHOLE,        /* 200: also for several ranges, other units than bytes, and ranges that make no sense */
	RANGE_PART,         /* 206 */
	RANGE_NOT_MODIFIED, /* 304 */
	RANGE_BEYOND,       /* 416: the range begins after the last byte, or is the last 0 bytes */
};

struct range {
	enum range_choice choice;
	uint64_t first, bytes; /* of RANGE_NOT_MODIFIED: those that the client has; of RANGE_BEYOND: none */
};

/* Chooses what to send of `total` bytes, whose strong entity tag is `etag`, with its quotes; "": there is none. */
struct range range_choose(const struct range_wishes *wishes, const char *etag, uint64_t total);
