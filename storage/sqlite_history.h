/* SPDX-License-Identifier: MIT */
/* Layers' history in the SQLite backend (backend.h says what each function does). */
#pragma once

#include "storage/backend.h"

int sqlite_last_moment(struct backend *b, int64_t layer_id, struct store_moment *out, struct err *e) MUST_CHECK;
int sqlite_add_moment(
    struct backend *b, int64_t layer_id, const struct store_moment *moment, uint64_t thinned, struct err *e) MUST_CHECK;
int sqlite_list_moments(struct backend *b, struct store_history *list, struct err *e) MUST_CHECK;
