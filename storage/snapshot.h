/* SPDX-License-Identifier: MIT */
/* How snapshots of layers are made; storage/store.h says what they are. References are counted on any thread. */
#pragma once

#include "storage/store.h"

struct windows;

/* What all identities of a store have. */
struct identity_common {
	struct store_definition_ops definitions;
	struct windows *windows; /* where their windows are listed; NULL: nothing is added to them */
};

/* An identity with one reference. Copies everything, parses the definition. NULL with `e`. Names: STORE_NAME_MAX. */
struct layer_identity *layer_identity_new(int64_t id, const char *model, const char *name, const char *definition,
    const struct identity_common *common, struct err *e) MUST_CHECK;
const struct layer_identity *layer_identity_ref(const struct layer_identity *identity);
/* About how much memory it takes, without what its definition was parsed to. */
size_t layer_identity_bytes(const struct layer_identity *identity);
void layer_identity_unref(const struct layer_identity *identity); /* NULL is fine */

/* A snapshot like `given`, with one reference. Copies all values and refers to the identity. NULL without memory. */
const struct snapshot *snapshot_new(const struct snapshot *given) MUST_CHECK;

/*
 * Checks that the lists of statistics, which are read from a database, are of so many features, or that both are NULL.
 */
int snapshot_check_lists(const struct statistics *s, size_t mean_count, size_t var_count, const char *model,
    const char *layer, struct err *e) MUST_CHECK;

/* About how much memory a snapshot takes. */
size_t snapshot_bytes(const struct snapshot *layer);
