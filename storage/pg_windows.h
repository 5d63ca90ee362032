/* SPDX-License-Identifier: MIT */
/* The rows of windows in PostgreSQL: functions of struct backend_ops (backend.h). */
#pragma once

#include "storage/backend.h"

int pg_load_window(struct backend *b, const struct layer_identity *layer, struct window_row *out, bool *found,
    struct err *e) MUST_CHECK;
int pg_save_window(struct backend *b, const struct layer_identity *layer, const struct window_row *row,
    const struct moments *moments, size_t features, struct err *e) MUST_CHECK;
