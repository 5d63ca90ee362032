/* SPDX-License-Identifier: MIT */
/* Pins and versions of models in PostgreSQL (backend.h has the contracts). */
#pragma once

#include "storage/backend.h"

int
pg_take_pin(struct backend *b, const char *model, int64_t now_s, int64_t *id, bool *layers, struct err *e) MUST_CHECK;
int pg_last_pin(struct backend *b, int64_t *id, struct err *e) MUST_CHECK;
int pg_drop_pins(struct backend *b, int64_t first, int64_t last, struct err *e) MUST_CHECK;
int pg_make_version(struct backend *b, const struct new_version *make, struct store_version *made, bool *found,
    struct err *e) MUST_CHECK;
int pg_find_version_key(struct backend *b, const struct new_version *asked, int64_t since_s, struct used_version *out,
    bool *found, struct err *e) MUST_CHECK;
int pg_delete_version(struct backend *b, const char *model, uint64_t number, struct err *e) MUST_CHECK;
int pg_list_versions(struct backend *b, uint64_t number, struct store_versions *list, struct err *e) MUST_CHECK;
/* A daemon that ends takes its pins along, and is no longer seen, where the connection stands. */
void pg_versions_leave(struct backend *b);
int pg_version_exists(struct backend *b, const char *model, uint64_t number, bool *exists, struct err *e) MUST_CHECK;
