/* SPDX-License-Identifier: MIT */
/* Which state of a model a name means. The store's thread alone calls these. */
#pragma once

#include "storage/backend.h"

/* What a name of a model stands for, from the cache or the backend. *found as backend.h's load_pointer. */
int versions_pointer(struct backend *b, struct cache *cache, const char *model, const char *name, struct pointer *out,
    bool *found, struct err *e) MUST_CHECK;

/* A page of aliases, or the one (store_versions.h). */
int versions_list_aliases(struct backend *b, struct store_aliases *list, struct err *e) MUST_CHECK;

/* The version that `which` means (but STORE_PINNED); 0: live. Errors: no_such_model, no_such_alias. */
int versions_resolve(struct backend *b, struct cache *cache, const char *model, const struct store_which *which,
    uint64_t *version, struct err *e) MUST_CHECK;

/* The version that a name means as the database has it, which exists; 0: live. */
int
versions_find_named(struct backend *b, const char *model, const char *name, uint64_t *number, struct err *e) MUST_CHECK;

/* The error for a model that has no layers. -1. */
int versions_refuse_empty(const char *model, struct err *e);

/* The state of `get`'s layer in a version, which is not 0, with a reference for the caller. */
int versions_layer(struct backend *b, struct cache *cache, const struct store_get *get, uint64_t version,
    const struct snapshot **out, struct err *e) MUST_CHECK;

/* A page of states, and of versions or the one (store_versions.h). */
int versions_states(struct backend *b, struct cache *cache, struct store_states *list, struct err *e) MUST_CHECK;
int versions_list(struct backend *b, struct store_versions *list, struct err *e) MUST_CHECK;
