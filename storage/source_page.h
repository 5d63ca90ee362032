/* SPDX-License-Identifier: MIT */
/* The page of sources that a backend reads: how large it is, and its memory. */
#pragma once

#include "storage/store.h"

/* How many entries the page has at most; 0: the layer has no sources. */
size_t source_page_limit(const struct store_sources *list);

/*
 * Zeroed entries in one block with their lists, which are returned: a mean and a variance of each. Counts them, and
 * until source_page_end so many rows of the database as well. NULL with `e`.
 */
double *source_page_new(struct store_sources *list, size_t limit, size_t rows, struct err *e) MUST_CHECK;
void source_page_end(struct store_sources *list, size_t rows);
