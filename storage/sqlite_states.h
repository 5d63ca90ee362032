/* SPDX-License-Identifier: MIT */
/* Reads the states of layers in SQLite, live ones and those that have moved on (backend.h has the contracts). */
#pragma once

#include "storage/backend.h"

int sqlite_load(struct backend *b, const char *model, const char *layer, struct budget_share *memory,
    const struct snapshot **out, struct err *e) MUST_CHECK;
int sqlite_find_at(struct backend *b, struct model_at *at, bool *found, struct err *e) MUST_CHECK;
int sqlite_find_row(struct backend *b, const struct model_at *at, const char *layer, struct state_row *out, bool *found,
    struct err *e) MUST_CHECK;
int sqlite_next_row(struct backend *b, const struct model_at *at, const char *after, struct state_row *out, bool *found,
    struct err *e) MUST_CHECK;
int sqlite_load_row(struct backend *b, const struct model_at *at, const struct state_row *row,
    struct budget_share *memory, const struct snapshot **out, struct err *e) MUST_CHECK;
