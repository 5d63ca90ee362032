/* SPDX-License-Identifier: MIT */
/* Layers' history in PostgreSQL (backend.h says what each function does). */
#pragma once

#include "storage/backend.h"

int pg_last_moment(
    struct backend *b, const struct layer_identity *layer, struct store_moment *out, struct err *e) MUST_CHECK;
int pg_add_moment(struct backend *b, const struct layer_identity *layer, const struct store_moment *moment,
    uint64_t thinned, struct err *e) MUST_CHECK;
int pg_purge_history(struct backend *b, size_t limit, size_t *purged, struct err *e) MUST_CHECK;
int pg_list_moments(struct backend *b, struct store_history *list, struct err *e) MUST_CHECK;
