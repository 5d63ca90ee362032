/* SPDX-License-Identifier: MIT */
/*
 * What each write means, on the batch's copies. A write first checks whether it can be done and changes a layer only
 * then; batch_keep lets a change of several writes go back.
 */
#include <inttypes.h>
#include <string.h>

#include "storage/moves.h"
#include "storage/snapshot.h"
#include "storage/window_rows.h"

/* What a frozen layer refuses. */
static const bool moves_statistics[STORE_WRITE_COUNT] = {
	[STORE_UPDATE] = true,
	[STORE_STATISTICS_PUT] = true,
	[STORE_STATISTICS_RESET] = true,
	[STORE_SOURCE_PUT] = true,
	[STORE_SOURCE_DELETE] = true,
	[STORE_SOURCES_FOLD] = true,
};

int
store_refuse_frozen(const char *layer, struct err *e)
{
	return err_fail(e, ERR_FROZEN,
	    "layer \"%s\" is frozen: nothing moves its statistics until it is thawed by PUT .../frozen "
	    "{\"frozen\":false}. Until then \"train\" normalizes by them: repeat a training call that was under way",
	    layer);
}

struct working *
write_layer(struct batch *b, const struct store_write *write, struct err *e)
{
	const struct store_precondition *p = &write->precondition;
	struct working *w = write->working;
	bool match = !p->present || p->any;

	if (!batch_has_layer(w, write)) {
		(void)backend_refuse_layer(b->backend, write->model, write->layer, e);
		return NULL;
	}
	for (unsigned i = 0; i < p->count && !match; i++)
		match = p->revisions[i] == w->now.revision;
	if (!match) {
		err_set(e, ERR_REVISION_MISMATCH,
		    "If-Match does not name the layer's revision, which is \"%" PRIu64 "\"", w->now.revision);
		return NULL;
	}
	if (w->now.frozen && moves_statistics[write->kind]) {
		(void)store_refuse_frozen(w->name, e);
		return NULL;
	}
	return batch_keep(b, w, e) < 0 ? NULL : w;
}

uint64_t
write_next_revision(const struct batch *b, const struct working *w)
{
	return w->now.revision + (w->raised_by != b->change);
}

void
write_mark_dirty(struct batch *b, struct working *w)
{
	w->now.revision = write_next_revision(b, w);
	w->raised_by = b->change;
	w->dirty = true;
}

int
write_refuse_features(const struct working *w, size_t features, struct err *e)
{
	return err_fail(e, ERR_SHAPE_MISMATCH, "layer \"%s\" has %zu feature%s, not %zu", w->name,
	    w->now.statistics.features, err_plural(w->now.statistics.features), features);
}

/* A layer with an id of its own and nothing in it. NULL with `e`. */
static const struct snapshot *
insert(struct batch *b, const struct store_write *write, struct err *e)
{
	struct snapshot empty = { .statistics = { .features = write->create.features }, .changed_s = b->now_s };
	struct layer_identity *identity;
	const struct snapshot *made;
	struct inserted inserted;

	if (b->backend->ops->insert(b->backend, write, b->now_s, &inserted, e) < 0)
		return NULL;
	identity =
	    layer_identity_new(inserted.id, write->model, write->layer, write->create.definition, b->identities, e);
	if (identity == NULL)
		return NULL;
	empty.identity = identity;
	empty.since = inserted.since;
	made = snapshot_new(&empty);
	layer_identity_unref(identity);
	if (made == NULL)
		err_set_memory(e);
	return made;
}

static int
apply_create(struct batch *b, struct store_write *write, struct err *e)
{
	struct working *w = write->working;
	const struct snapshot *made;

	if (write->create.same && w->exists && strcmp(w->base->identity->definition, write->create.definition) != 0)
		return err_fail(
		    e, ERR_LAYER_DIFFERS, "layer \"%s\" was created meanwhile with another definition", write->layer);
	if (!w->exists) {
		if (batch_keep(b, w, e) < 0)
			return -1;
		made = insert(b, write, e);
		if (made == NULL) {
			b->broken = true;
			return -1;
		}
		working_created(w, made);
		write->result.created = true;
	}
	write->result.snapshot = snapshot_ref(w->base);
	return 0;
}

static int
apply_delete_layer(struct batch *b, struct store_write *write, struct err *e)
{
	struct working *w = write_layer(b, write, e);

	if (w == NULL || batch_keep_state(b, w, e) < 0)
		return -1;
	if (batch_wrote(b, b->backend->ops->delete_layer(b->backend, w->base->identity, e)) < 0)
		return -1;
	source_trees_drop(b->trees, w->base->identity->id);
	working_deleted(w);
	return 0;
}

static int
apply_delete_model(struct batch *b, struct store_write *write, struct err *e)
{
	if (backend_need_model(b->backend, write->model, e) < 0 || batch_keep_model(b, write->model, e) < 0)
		return -1;
	if (batch_wrote(b, b->backend->ops->delete_model(b->backend, write->model, e)) < 0)
		return -1;
	source_trees_drop_model(b->trees, write->model);
	batch_drop_model(b, write->model);
	b->chores_go_on = true; /* with its versions */
	return 0;
}

static int
apply_freeze(struct batch *b, struct store_write *write, struct err *e)
{
	struct working *w = write_layer(b, write, e);

	if (w == NULL)
		return -1;
	if (w->now.frozen != write->frozen) {
		w->now.frozen = write->frozen;
		write_mark_dirty(b, w);
	}
	return 0;
}

static int
apply_model_freeze(struct batch *b, struct store_write *write, struct err *e)
{
	struct model_freeze freeze = { .model = write->model, .frozen = write->frozen };

	if (backend_need_model(b->backend, write->model, e) < 0 || batch_keep_model(b, write->model, e) < 0 ||
	    batch_mark(b, write->model, &freeze.mark, e) < 0)
		return -1;
	if (batch_wrote(b, b->backend->ops->freeze_model(b->backend, &freeze, e)) < 0)
		return -1;
	write->result.layers = freeze.layers;
	batch_freeze_model(b, &freeze);
	return 0;
}

static int
apply_window_reset(struct batch *b, struct store_write *write, struct err *e)
{
	struct working *w = write_layer(b, write, e);

	if (w == NULL || window_rows_reset(b, w, e) < 0)
		return -1;
	w->window_reset = true;
	return 0;
}

static bool
moves_sources(const struct snapshot *state, const struct store_write *write)
{
	return write->kind == STORE_SOURCE_PUT || write->kind == STORE_SOURCE_DELETE ||
	    write->kind == STORE_SOURCES_FOLD ||
	    (write->kind == STORE_UPDATE && write->updates.count > 0 &&
		(state->sources > 0 || write->updates.source != NULL));
}

size_t
store_write_bytes(const struct snapshot *state, const struct store_write *write)
{
	const size_t present = state->statistics.mean != NULL ? 2 * state->statistics.features : 0;
	size_t after = present, copies = 1; /* the next snapshot's */
	size_t names = 0;

	/* move_statistics: the result of each update, of which two are kept, and the initial ones if there are none. */
	if (write->kind == STORE_UPDATE && write->updates.count > 0) {
		after = 2 * write->updates.list->features;
		copies += 1 + (write->updates.count > 1) + (present == 0);
	}
	/* apply_sources.c: the pool, its row, and a new source and part, of which each has room for two pairs. */
	if (moves_sources(state, write)) {
		if (write->kind != STORE_UPDATE)
			after =
			    2 * (write->kind == STORE_SOURCE_PUT ? write->source.features : state->statistics.features);
		copies = 8;
	}
	if (write->kind == STORE_SOURCES_FOLD)
		names = write->fold.count * (sizeof(struct exchanged) + sizeof(struct update));
	return 2 * store_snapshot_bytes(state) + (copies * after - present) * sizeof(double) + names;
}

static int (*const table[STORE_WRITE_COUNT])(struct batch *b, struct store_write *write, struct err *e) = {
	[STORE_LAYER_CREATE] = apply_create,
	[STORE_LAYER_DELETE] = apply_delete_layer,
	[STORE_MODEL_DELETE] = apply_delete_model,
	[STORE_UPDATE] = apply_update,
	[STORE_STATISTICS_PUT] = apply_statistics_put,
	[STORE_STATISTICS_RESET] = apply_statistics_reset,
	[STORE_PARAMETERS_PUT] = apply_parameters_put,
	[STORE_SOURCE_PUT] = apply_source_put,
	[STORE_SOURCE_DELETE] = apply_source_delete,
	[STORE_SOURCES_FOLD] = apply_sources_fold,
	[STORE_FREEZE] = apply_freeze,
	[STORE_MODEL_FREEZE] = apply_model_freeze,
	[STORE_WINDOW_RESET] = apply_window_reset,
	[STORE_PIN] = apply_pin,
	[STORE_VERSION_MAKE] = apply_version_make,
	[STORE_VERSION_DELETE] = apply_version_delete,
	[STORE_SERVE] = apply_serve,
	[STORE_ALIAS_PUT] = apply_alias_put,
	[STORE_ALIAS_DELETE] = apply_alias_delete,
};

int
write_apply(struct batch *b, struct store_write *write, struct err *e)
{
	return table[write->kind](b, write, e);
}
