/* SPDX-License-Identifier: MIT */
/* The sources in SQLite: functions of struct backend_ops (storage/backend.h has their contracts). */
#pragma once

#include "storage/backend.h"

int sqlite_load_sources(
    struct backend *b, const struct layer_identity *layer, struct sources *into, struct err *e) MUST_CHECK;
int sqlite_put_source(
    struct backend *b, const struct layer_identity *layer, const struct source *source, struct err *e) MUST_CHECK;
int
sqlite_delete_source(struct backend *b, const struct layer_identity *layer, const char *name, struct err *e) MUST_CHECK;
int sqlite_delete_sources(struct backend *b, const struct layer_identity *layer, struct err *e) MUST_CHECK;
int sqlite_list_sources(struct backend *b, struct store_sources *list, struct err *e) MUST_CHECK;
