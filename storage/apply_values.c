/* SPDX-License-Identifier: MIT */
/* Writes to what a layer holds: its statistics, but for sources, and its parameters. */
#include <string.h>

#include "storage/apply.h"

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

/* Mean 0 and variance 1, as before the first update. The counts stay: sources that are gone may have raised them. */
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
ask(const struct batch *b, const struct store_write *write, const struct working *w, const struct statistics *after,
    struct err *e)
{
	struct snapshot next = w->now;

	next.revision = write_next_revision(b, w);
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
	if (asks != NULL && ask(b, asks, w, &after, e) < 0)
		return -1;
	write_move(w, &before, &after);
	return 0;
}

int
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
	write_mark_dirty(b, w);
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

int
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
	write_mark_dirty(b, w);
	return 0;
}

int
apply_statistics_reset(struct batch *b, struct store_write *write, struct err *e)
{
	struct working *w = write_layer(b, write, e);

	if (w == NULL || write_forget_sources(b, w, e) < 0)
		return -1;
	w->now.statistics = (struct statistics){ .features = w->now.statistics.features };
	w->spare = (struct statistics){ 0 };
	write_mark_dirty(b, w);
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

int
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
	write_mark_dirty(b, w);
	return 0;
}
