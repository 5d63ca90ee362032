/* SPDX-License-Identifier: MIT */
/* Layers' history in the SQLite backend (backend.h says what each function does). */
#pragma once

#include "storage/backend.h"

int sqlite_last_moment(
    struct backend *b, const struct layer_identity *layer, struct store_moment *out, struct err *e) MUST_CHECK;
int sqlite_add_moment(struct backend *b, const struct layer_identity *layer, const struct store_moment *moment,
    uint64_t thinned, struct err *e) MUST_CHECK;
int sqlite_purge_history(struct backend *b, size_t limit, size_t *purged, struct err *e) MUST_CHECK;

/* A layer, or all layers of a model, are about to be deleted: leaves their rows to sqlite_purge_history. */
int sqlite_leave_history(struct backend *b, const struct layer_identity *layer, struct err *e) MUST_CHECK;
int sqlite_leave_histories(struct backend *b, const char *model, struct err *e) MUST_CHECK;

int sqlite_list_moments(struct backend *b, struct store_history *list, struct err *e) MUST_CHECK;
