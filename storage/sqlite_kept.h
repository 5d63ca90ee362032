/* SPDX-License-Identifier: MIT */
/* Keeps states for versions before they move on, and forgets those that none needs (backend.h has the contracts). */
#pragma once

#include "storage/backend.h"

int sqlite_keep(struct backend *b, const struct layer_identity *layer, uint64_t mark, struct err *e) MUST_CHECK;
/* A model is about to be deleted: leaves its versions, and what is kept for them, to sqlite_reclaim. */
int sqlite_leave_versions(struct backend *b, const char *model, struct err *e) MUST_CHECK;
int sqlite_reclaim(struct backend *b, int64_t keys_since_s, bool *more, struct err *e) MUST_CHECK;
