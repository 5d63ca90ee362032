/* SPDX-License-Identifier: MIT */
/* Snapshots of layers: how they are made. What they are is in store.h. */
#ifndef STORAGE_SNAPSHOT_H
#define STORAGE_SNAPSHOT_H

#include "storage/store.h"

/*
 * An identity with one reference; copies everything and parses the definition. NULL with `e`. Names must fit
 * STORE_NAME_MAX.
 */
struct layer_identity *layer_identity_new(int64_t id, const char *model, const char *name, const char *definition,
    const struct store_definition_ops *ops, struct err *e) MUST_CHECK;
const struct layer_identity *layer_identity_ref(const struct layer_identity *identity);
void layer_identity_unref(const struct layer_identity *identity); /* NULL is fine */

/* A snapshot with one reference: all values are copied, the identity gets a reference. NULL when there is no memory. */
const struct snapshot *snapshot_new(const struct layer_identity *identity, uint64_t revision,
    const struct statistics *statistics, struct store_vector weight, struct store_vector bias) MUST_CHECK;

/* The memory that a snapshot takes, about. */
size_t snapshot_bytes(const struct snapshot *layer);

#endif
