/* SPDX-License-Identifier: MIT */
/*
 * What each operation means, on the batch's copies. An operation first looks whether it can be done and changes
 * something only then, so that one that is refused leaves no trace and fails alone.
 */
#include <inttypes.h>
#include <string.h>

#include "storage/batch.h"
#include "storage/snapshot.h"

/* The layer that a write means, its precondition checked. NULL with `e`. */
static struct working *
layer_to_write(struct batch *b, const struct store_op *op, struct err *e)
{
	const struct store_precondition *p = &op->precondition;
	struct working *w = batch_layer(b, op->model, op->layer, e);
	bool match;

	if (w == NULL)
		return NULL;
	if (!w->exists || (op->layer_id != 0 && w->base->identity->id != op->layer_id)) {
		(void)backend_refuse_layer(b->backend, op->model, op->layer, e);
		return NULL;
	}
	match = !p->present || p->any;
	for (unsigned i = 0; i < p->count && !match; i++)
		match = p->revisions[i] == w->revision;
	if (!match) {
		err_set(e, ERR_REVISION_MISMATCH,
		    "If-Match does not name the layer's revision, which is \"%" PRIu64 "\"", w->revision);
		return NULL;
	}
	return w;
}

static void
mark_dirty(struct working *w, struct store_op *op)
{
	w->dirty = true;
	w->revision++;
	op->revision = w->revision;
	op->num_batches_tracked = w->statistics.num_batches_tracked;
	op->result_features = w->statistics.features;
}

static int
refuse_features(const struct working *w, size_t features, struct err *e)
{
	return err_fail(
	    e, ERR_SHAPE_MISMATCH, "layer \"%s\" has %zu features, not %zu", w->name, w->statistics.features, features);
}

static int
apply_create(struct batch *b, struct store_op *op, struct err *e)
{
	struct working *w = batch_layer(b, op->model, op->layer, e);
	struct statistics none = { .features = op->features };
	struct layer_identity *identity;
	int64_t id;

	if (w == NULL)
		return -1;
	if (!w->exists) {
		if (b->backend->ops->insert(b->backend, op->model, op->layer, op->definition, op->features, &id, e) <
		    0) {
			b->broken = true;
			return -1;
		}
		identity = layer_identity_new(id, op->model, op->layer, op->definition, b->definitions, e);
		op->layer_state = identity == NULL ?
		    NULL :
		    snapshot_new(identity, 0, &none, (struct store_vector){ 0 }, (struct store_vector){ 0 });
		layer_identity_unref(identity);
		if (op->layer_state == NULL) {
			b->broken = true;
			return err_fail_memory(e);
		}
		working_created(w, snapshot_ref(op->layer_state));
		op->created = true;
	} else {
		op->layer_state = snapshot_ref(w->base);
	}
	op->revision = w->revision;
	op->result_features = w->statistics.features;
	return 0;
}

static int
apply_delete_layer(struct batch *b, struct store_op *op, struct err *e)
{
	struct working *w = layer_to_write(b, op, e);

	if (w == NULL)
		return -1;
	if (b->backend->ops->delete_layer(b->backend, w->base->identity->id, e) < 0) {
		b->broken = true;
		return -1;
	}
	working_deleted(w);
	return 0;
}

static int
apply_delete_model(struct batch *b, struct store_op *op, struct err *e)
{
	if (backend_need_model(b->backend, op->model, e) < 0)
		return -1;
	if (b->backend->ops->delete_model(b->backend, op->model, e) < 0) {
		b->broken = true;
		return -1;
	}
	batch_drop_model(b, op->model);
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

/* What statistics are before the first update: 0, 1, 0. */
static int
initial_statistics(struct batch *b, size_t features, struct statistics *out, struct err *e)
{
	*out = (struct statistics){ .features = features };
	if (new_arrays(b, features, out, e) < 0)
		return -1;
	for (size_t i = 0; i < features; i++)
		out->var[i] = 1;
	return 0;
}

static int
refuse_update(enum update_result result, const struct working *w, const struct update *u, struct err *e)
{
	switch (result) {
	case UPDATE_FEATURES_DIFFER:
		return refuse_features(w, u->features, e);
	case UPDATE_COUNT_OVERFLOWS:
		return err_fail(e, ERR_BAD_PARAMETER, "the layer's counts would pass 2^63 - 1");
	default:
		return err_fail(e, ERR_NON_FINITE_INPUT, "the layer's running statistics would overflow");
	}
}

/* Moves the working copy's statistics by one update. */
static int
move_statistics(struct batch *b, struct working *w, const struct update *u, struct err *e)
{
	struct statistics before = w->statistics, after;
	enum update_result result;

	if (before.mean == NULL &&
	    initial_statistics(b, before.features != 0 ? before.features : u->features, &before, e) < 0)
		return -1;
	after = w->spare;
	if ((after.mean == NULL || after.features != before.features) && new_arrays(b, before.features, &after, e) < 0)
		return -1;
	result = update_apply(&before, u, &after);
	if (result != UPDATE_APPLIED)
		return refuse_update(result, w, u, e);
	/* What was current is spare now, unless it is the committed snapshot's, which nobody writes to. */
	w->spare = before;
	if (before.mean == w->base->statistics.mean)
		w->spare.mean = NULL;
	w->statistics = after;
	return 0;
}

/* Moves them by several, or not at all: arrays that might be needed to go back are not reused. */
static int
move_by_all(struct batch *b, struct working *w, const struct update *updates, size_t count, struct err *e)
{
	const struct statistics before = w->statistics;

	if (count <= 1)
		return move_statistics(b, w, updates, e);
	w->spare = (struct statistics){ 0 };
	for (size_t i = 0; i < count; i++) {
		if (move_statistics(b, w, &updates[i], e) < 0) {
			w->statistics = before;
			w->spare = (struct statistics){ 0 };
			return -1;
		}
		if (i == 0)
			w->spare = (struct statistics){ 0 };
	}
	return 0;
}

/* Whether the update's key has been used already; then the results are the first update's, or it is refused. */
static int
find_key(struct batch *b, const struct working *w, struct store_op *op, struct err *e)
{
	struct used_key used;

	if (b->backend->ops->find_key(
		b->backend, w->base->identity->id, op->key, b->keys_since_s, &used, &op->repeated, e) < 0)
		return -1;
	if (!op->repeated)
		return 0;
	if (memcmp(used.digest, op->key_digest, DIGEST_BYTES) != 0)
		return err_fail(
		    e, ERR_IDEMPOTENCY_MISMATCH, "the Idempotency-Key was used on this layer with another body");
	op->revision = used.revision;
	op->num_batches_tracked = used.num_batches_tracked;
	op->result_features = w->statistics.features;
	return 0;
}

static int
add_key(struct batch *b, const struct working *w, const struct store_op *op, struct err *e)
{
	struct used_key used = { .revision = op->revision, .num_batches_tracked = op->num_batches_tracked };

	memcpy(used.digest, op->key_digest, DIGEST_BYTES);
	b->keys_added++;
	return b->backend->ops->add_key(b->backend, w->base->identity->id, op->key, &used, b->now_s, e);
}

static int
apply_update(struct batch *b, struct store_op *op, struct err *e)
{
	struct working *w = layer_to_write(b, op, e);

	if (w == NULL || (op->key != NULL && find_key(b, w, op, e) < 0))
		return -1;
	if (op->repeated)
		return 0;
	if (move_by_all(b, w, op->update, op->update_count, e) < 0)
		return -1;
	mark_dirty(w, op);
	if (op->key != NULL && add_key(b, w, op, e) < 0) {
		b->broken = true;
		return -1;
	}
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
apply_statistics_put(struct batch *b, struct store_op *op, struct err *e)
{
	const struct statistics *given = op->statistics;
	struct working *w = layer_to_write(b, op, e);
	struct statistics copy = *given;

	if (w == NULL)
		return -1;
	if (w->statistics.features != 0 && w->statistics.features != given->features)
		return refuse_features(w, given->features, e);
	copy.mean = copy_doubles(b, given->mean, given->features);
	copy.var = copy_doubles(b, given->var, given->features);
	if (copy.mean == NULL || copy.var == NULL)
		return err_fail_memory(e);
	w->statistics = copy;
	w->spare = (struct statistics){ 0 };
	mark_dirty(w, op);
	return 0;
}

static int
apply_statistics_reset(struct batch *b, struct store_op *op, struct err *e)
{
	struct working *w = layer_to_write(b, op, e);

	if (w == NULL)
		return -1;
	w->statistics = (struct statistics){ .features = w->statistics.features };
	w->spare = (struct statistics){ 0 };
	mark_dirty(w, op);
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
apply_parameters_put(struct batch *b, struct store_op *op, struct err *e)
{
	struct working *w = layer_to_write(b, op, e);
	struct store_vector weight, bias;

	if (w == NULL)
		return -1;
	if (op->features != 0 && w->statistics.features != 0 && w->statistics.features != op->features)
		return refuse_features(w, op->features, e);
	if (copy_vector(b, &op->weight, &weight, e) < 0 || copy_vector(b, &op->bias, &bias, e) < 0)
		return -1;
	w->weight = weight;
	w->bias = bias;
	w->parameters_dirty = true;
	if (op->features != 0)
		w->statistics.features = op->features;
	mark_dirty(w, op);
	return 0;
}

static int (*const apply_table[STORE_OP_COUNT])(struct batch *b, struct store_op *op, struct err *e) = {
	[STORE_LAYER_CREATE] = apply_create,
	[STORE_LAYER_DELETE] = apply_delete_layer,
	[STORE_MODEL_DELETE] = apply_delete_model,
	[STORE_UPDATE] = apply_update,
	[STORE_STATISTICS_PUT] = apply_statistics_put,
	[STORE_STATISTICS_RESET] = apply_statistics_reset,
	[STORE_PARAMETERS_PUT] = apply_parameters_put,
};

int
batch_apply(struct batch *b, struct store_op *op, struct err *e)
{
	return apply_table[op->kind](b, op, e);
}
