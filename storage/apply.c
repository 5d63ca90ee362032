/* SPDX-License-Identifier: MIT */
/*
 * What each write means, on the batch's copies. A write first checks whether it can be done and changes a layer only
 * then; batch_keep lets a change of several writes go back.
 */
#include <inttypes.h>
#include <string.h>

#include "storage/apply.h"
#include "storage/snapshot.h"

/* What a frozen layer refuses. */
static const bool moves_statistics[STORE_WRITE_COUNT] = {
	[STORE_UPDATE] = true,
	[STORE_STATISTICS_PUT] = true,
	[STORE_STATISTICS_RESET] = true,
	[STORE_SOURCE_PUT] = true,
	[STORE_SOURCE_DELETE] = true,
	[STORE_SOURCES_FOLD] = true,
};

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
		err_set(e, ERR_FROZEN,
		    "layer \"%s\" is frozen: nothing moves its statistics until it is thawed by PUT .../frozen "
		    "{\"frozen\":false}. Until then \"train\" normalizes by them: repeat a training call that was "
		    "under way",
		    w->name);
		return NULL;
	}
	return batch_keep(b, w, e) < 0 ? NULL : w;
}

static void
mark_dirty(struct working *w)
{
	w->dirty = true;
	w->now.revision++;
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
	struct snapshot empty = { .statistics = { .features = write->create.features } };
	struct layer_identity *identity;
	const struct snapshot *made;
	int64_t id;

	if (b->backend->ops->insert(
		b->backend, write->model, write->layer, write->create.definition, write->create.features, &id, e) < 0)
		return NULL;
	identity = layer_identity_new(id, write->model, write->layer, write->create.definition, b->definitions, e);
	if (identity == NULL)
		return NULL;
	empty.identity = identity;
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

	if (w == NULL)
		return -1;
	if (b->backend->ops->delete_layer(b->backend, w->base->identity->id, e) < 0) {
		b->broken = true;
		return -1;
	}
	source_trees_drop(b->trees, w->base->identity->id);
	working_deleted(w);
	return 0;
}

static int
apply_delete_model(struct batch *b, struct store_write *write, struct err *e)
{
	if (backend_need_model(b->backend, write->model, e) < 0 || batch_keep_model(b, write->model, e) < 0)
		return -1;
	if (b->backend->ops->delete_model(b->backend, write->model, e) < 0) {
		b->broken = true;
		return -1;
	}
	source_trees_drop_model(b->trees, write->model);
	batch_drop_model(b, write->model);
	return 0;
}

/* Fresh arrays for `features` features. */
static int
new_arrays(struct batch *b, size_t features, struct statistics *out, struct err *e)
{
	out->mean = arena_array(&b->arena, features, sizeof(double));
	out->var = arena_array(&b->arena, features, sizeof(double));
	return out->mean == NULL || out->var == NULL ? err_fail_memory(e) : 0;
}

int
write_next_arrays(struct batch *b, const struct working *w, size_t features, struct statistics *out, struct err *e)
{
	*out = w->spare;
	if (out->mean != NULL && out->features == features)
		return 0;
	*out = (struct statistics){ .features = features };
	return new_arrays(b, features, out, e);
}

void
write_move(struct working *w, const struct statistics *before, const struct statistics *after)
{
	w->spare = *before;
	if (before->mean == w->base->statistics.mean ||
	    (w->kept != NULL && before->mean == w->kept->now.statistics.mean))
		w->spare.mean = NULL; /* the committed snapshot's, or what this change may go back to */
	w->now.statistics = *after;
}

/* What a layer's statistics are before the first update: 0 and 1. Those of sources that are gone may have counted. */
static int
initial_statistics(struct batch *b, size_t features, struct statistics *out, struct err *e)
{
	out->features = features;
	if (new_arrays(b, features, out, e) < 0)
		return -1;
	for (size_t i = 0; i < features; i++)
		out->var[i] = 1;
	return 0;
}

int
write_refuse_update(enum update_result result, const struct working *w, size_t features, struct err *e)
{
	switch (result) {
	case UPDATE_FEATURES_DIFFER:
		return write_refuse_features(w, features, e);
	case UPDATE_COUNT_OVERFLOWS:
		return err_fail(e, ERR_BAD_PARAMETER, "the layer's counts would exceed 2^63 - 1");
	default:
		return err_fail(e, ERR_NON_FINITE_INPUT, "the layer's running statistics would overflow");
	}
}

int
write_ask(const struct store_write *write, const struct snapshot *state, struct err *e)
{
	if (write->kind != STORE_UPDATE || write->updates.accept == NULL)
		return 0;
	return write->updates.accept(write->updates.accept_arg, state, e);
}

/* Before the layer has moved, so that nothing has to go back. */
static int
ask(const struct store_write *write, const struct working *w, const struct statistics *after, struct err *e)
{
	struct snapshot next = w->now;

	next.revision++;
	next.statistics = *after;
	return write_ask(write, &next, e);
}

/* Moves the working copy's statistics by one update. `asks`: the write whose last update this is, else NULL. */
static int
move_statistics(
    struct batch *b, struct working *w, const struct update *u, const struct store_write *asks, struct err *e)
{
	struct statistics before = w->now.statistics, after;
	enum update_result result;

	if (before.mean == NULL &&
	    initial_statistics(b, before.features != 0 ? before.features : u->features, &before, e) < 0)
		return -1;
	if (write_next_arrays(b, w, before.features, &after, e) < 0)
		return -1;
	result = update_apply(&before, u, &after);
	if (result != UPDATE_APPLIED)
		return write_refuse_update(result, w, u->features, e);
	if (asks != NULL && ask(asks, w, &after, e) < 0)
		return -1;
	write_move(w, &before, &after);
	return 0;
}

static int
apply_update(struct batch *b, struct store_write *write, struct err *e)
{
	const size_t count = write->updates.count;
	struct working *w;

	if (count == 0 && batch_has_layer(write->working, write))
		return 0;
	w = write_layer(b, write, e);
	if (w == NULL)
		return -1;
	if (w->now.sources > 0 || write->updates.source != NULL)
		return apply_sources_update(b, w, write, e);
	for (size_t i = 0; i < count; i++)
		if (move_statistics(b, w, &write->updates.list[i], i + 1 == count ? write : NULL, e) < 0)
			return -1;
	mark_dirty(w);
	return 0;
}

static double *
copy_doubles(struct batch *b, const double *values, size_t n)
{
	double *copy = arena_array(&b->arena, n, sizeof(*values));

	if (copy != NULL && n > 0)
		memcpy(copy, values, n * sizeof(*values));
	return copy;
}

static int
apply_statistics_put(struct batch *b, struct store_write *write, struct err *e)
{
	const struct statistics *given = write->statistics;
	struct working *w = write_layer(b, write, e);
	struct statistics copy = *given;

	if (w == NULL)
		return -1;
	if (w->now.statistics.features != 0 && w->now.statistics.features != given->features)
		return write_refuse_features(w, given->features, e);
	copy.mean = copy_doubles(b, given->mean, given->features);
	copy.var = copy_doubles(b, given->var, given->features);
	if (copy.mean == NULL || copy.var == NULL)
		return err_fail_memory(e);
	if (write_forget_sources(b, w, e) < 0)
		return -1;
	w->now.statistics = copy;
	w->spare = (struct statistics){ 0 };
	mark_dirty(w);
	return 0;
}

static int
apply_statistics_reset(struct batch *b, struct store_write *write, struct err *e)
{
	struct working *w = write_layer(b, write, e);

	if (w == NULL || write_forget_sources(b, w, e) < 0)
		return -1;
	w->now.statistics = (struct statistics){ .features = w->now.statistics.features };
	w->spare = (struct statistics){ 0 };
	mark_dirty(w);
	return 0;
}

static int
copy_vector(struct batch *b, const struct store_vector *in, struct store_vector *out, struct err *e)
{
	*out = *in;
	if (in->values != NULL && (out->values = copy_doubles(b, in->values, in->count)) == NULL)
		return err_fail_memory(e);
	return 0;
}

static int
apply_parameters_put(struct batch *b, struct store_write *write, struct err *e)
{
	struct working *w = write_layer(b, write, e);
	const size_t features = write->parameters.features;
	struct store_vector weight, bias;

	if (w == NULL)
		return -1;
	if (features != 0 && w->now.statistics.features != 0 && w->now.statistics.features != features)
		return write_refuse_features(w, features, e);
	if (copy_vector(b, &write->parameters.weight, &weight, e) < 0 ||
	    copy_vector(b, &write->parameters.bias, &bias, e) < 0)
		return -1;
	w->now.weight = weight;
	w->now.bias = bias;
	w->parameters_dirty = true;
	if (features != 0)
		w->now.statistics.features = features;
	mark_dirty(w);
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
		mark_dirty(w);
	}
	return 0;
}

static int
apply_model_freeze(struct batch *b, struct store_write *write, struct err *e)
{
	if (backend_need_model(b->backend, write->model, e) < 0 || batch_keep_model(b, write->model, e) < 0)
		return -1;
	if (b->backend->ops->freeze_model(b->backend, write->model, write->frozen, &write->result.layers, e) < 0) {
		b->broken = true;
		return -1;
	}
	batch_freeze_model(b, write->model, write->frozen);
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
	return 2 * store_snapshot_bytes(state) + (copies * after - present) * sizeof(double);
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
};

int
write_apply(struct batch *b, struct store_write *write, struct err *e)
{
	return table[write->kind](b, write, e);
}
