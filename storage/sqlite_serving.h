/* SPDX-License-Identifier: MIT */
/* Stores and lists switches of what serves, and aliases: the backend's functions of those names (backend.h). */
#pragma once

#include "storage/backend.h"

int sqlite_add_switch(struct backend *b, const char *model, struct store_switch *added, struct err *e) MUST_CHECK;
int sqlite_list_switches(struct backend *b, struct store_switches *list, struct err *e) MUST_CHECK;
int
sqlite_put_alias(struct backend *b, const char *model, const char *alias, uint64_t number, struct err *e) MUST_CHECK;
int
sqlite_delete_alias(struct backend *b, const char *model, const char *alias, bool *deleted, struct err *e) MUST_CHECK;
int sqlite_list_aliases(struct backend *b, struct store_aliases *list, struct err *e) MUST_CHECK;
int sqlite_find_alias(struct backend *b, const char *model, uint64_t number, struct store_alias *out, bool *found,
    struct err *e) MUST_CHECK;
