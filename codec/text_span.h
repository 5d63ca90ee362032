/* SPDX-License-Identifier: MIT */
/* A text that stands somewhere else. */
#pragma once

#include <stddef.h>

/* UTF-8. It may contain NULs and is not terminated by one. */
struct text_span {
	const char *bytes;
	size_t len;
};
