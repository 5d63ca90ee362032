/* SPDX-License-Identifier: MIT */
/* The sources in PostgreSQL: functions of struct backend_ops (storage/backend.h has their contracts). */
#pragma once

#include "storage/backend.h"

int
pg_load_sources(struct backend *b, const struct layer_identity *layer, struct sources *into, struct err *e) MUST_CHECK;
int pg_put_source(
    struct backend *b, const struct layer_identity *layer, const struct source *source, struct err *e) MUST_CHECK;
int pg_delete_source(struct backend *b, const struct layer_identity *layer, const char *name, struct err *e) MUST_CHECK;
int pg_delete_sources(struct backend *b, const struct layer_identity *layer, struct err *e) MUST_CHECK;
int pg_list_sources(struct backend *b, struct store_sources *list, struct err *e) MUST_CHECK;
