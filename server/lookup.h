/* SPDX-License-Identifier: MIT */
/* What libmicrohttpd reads of a head, by the function that lookup.c puts in the place of its own. */
#pragma once

#include <stdbool.h>

/*
 * Whether libmicrohttpd calls the functions that normd defines in the place of its own. A libmicrohttpd that was linked
 * with -Bsymbolic-functions, as Ubuntu's is, calls its own directly: the dynamic linker finds normd's all the same, so
 * only a call can tell. Call it before the first thread starts.
 */
bool lookup_is_called(void);
