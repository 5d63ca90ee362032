/* SPDX-License-Identifier: MIT */
/* What serves, and aliases, in PostgreSQL (backend.h has the contracts). */
#pragma once

#include "storage/backend.h"

int pg_load_pointer(
    struct backend *b, const char *model, const char *name, struct pointer *out, bool *found, struct err *e) MUST_CHECK;
int pg_add_switch(struct backend *b, const char *model, struct store_switch *added, struct err *e) MUST_CHECK;
int pg_list_switches(struct backend *b, struct store_switches *list, struct err *e) MUST_CHECK;
int pg_put_alias(struct backend *b, const char *model, const char *alias, uint64_t number, struct err *e) MUST_CHECK;
int pg_delete_alias(struct backend *b, const char *model, const char *alias, bool *deleted, struct err *e) MUST_CHECK;
int pg_find_alias(struct backend *b, const char *model, uint64_t number, struct store_alias *out, bool *found,
    struct err *e) MUST_CHECK;
int pg_list_aliases(struct backend *b, struct store_aliases *list, struct err *e) MUST_CHECK;
