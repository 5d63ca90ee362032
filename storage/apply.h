/* SPDX-License-Identifier: MIT */
/* What the files that apply writes share (apply.c, apply_values.c, apply_sources.c, ...). */
#pragma once

#include "storage/batch.h"

/*
 * The layer of a write that may be done now: the layer exists, the precondition holds, and nothing frozen is moved. Its
 * copy is kept for a change that may go back. NULL with `e`.
 */
struct working *write_layer(struct batch *b, const struct store_write *write, struct err *e) MUST_CHECK;

/* The errors for another number of features, and for an update that is not applied. -1. */
int write_refuse_features(const struct working *w, size_t features, struct err *e);
int write_refuse_update(enum update_result result, const struct working *w, size_t features, struct err *e);

/*
 * The revision of a layer that the change at hand writes to. A revision counts changes: several writes of one change
 * raise it once. (STORE_MODEL_FREEZE raises it by itself.)
 */
uint64_t write_next_revision(const struct batch *b, const struct working *w);

/* The layer has changed, for the batch to save; its revision is the next one. */
void write_mark_dirty(struct batch *b, struct working *w);

/* Arrays for the layer's next statistics: those that it no longer uses, or fresh ones. */
int write_next_arrays(
    struct batch *b, const struct working *w, size_t features, struct statistics *out, struct err *e) MUST_CHECK;

/* Moves the layer's statistics. `before`, where they come from, may lend its arrays to the next ones. */
void write_move(struct working *w, const struct statistics *before, const struct statistics *after);

/* The layer's sources are forgotten, if it has any. */
int write_forget_sources(struct batch *b, struct working *w, struct err *e) MUST_CHECK;

int apply_update(struct batch *b, struct store_write *write, struct err *e) MUST_CHECK;
int apply_statistics_put(struct batch *b, struct store_write *write, struct err *e) MUST_CHECK;
int apply_statistics_reset(struct batch *b, struct store_write *write, struct err *e) MUST_CHECK;
int apply_parameters_put(struct batch *b, struct store_write *write, struct err *e) MUST_CHECK;

/* apply_versions.c */
int apply_pin(struct batch *b, struct store_write *write, struct err *e) MUST_CHECK;
int apply_version_make(struct batch *b, struct store_write *write, struct err *e) MUST_CHECK;
int apply_version_delete(struct batch *b, struct store_write *write, struct err *e) MUST_CHECK;

/* apply_serving.c */
int apply_serve(struct batch *b, struct store_write *write, struct err *e) MUST_CHECK;
int apply_alias_put(struct batch *b, struct store_write *write, struct err *e) MUST_CHECK;
int apply_alias_delete(struct batch *b, struct store_write *write, struct err *e) MUST_CHECK;

/* Writes to sources, and updates of a layer that has some or to one of them. */
int apply_source_put(struct batch *b, struct store_write *write, struct err *e) MUST_CHECK;
int apply_source_delete(struct batch *b, struct store_write *write, struct err *e) MUST_CHECK;
int apply_sources_fold(struct batch *b, struct store_write *write, struct err *e) MUST_CHECK;
int apply_sources_update(struct batch *b, struct working *w, const struct store_write *write, struct err *e) MUST_CHECK;
