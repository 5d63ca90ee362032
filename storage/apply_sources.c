/* SPDX-License-Identifier: MIT */
/* Writes to sources, as moves (storage/moves.h). */
#include <inttypes.h>
#include <string.h>

#include "storage/moves.h"

/* Checks that one more source has room. */
static int
check_room(const struct moves *m, const char *name, struct err *e)
{
	if (sources_find(m->tree->sources, name) != NULL || *name == '\0')
		return 0;
	if (m->tree->sources->count >= STORE_SOURCES_MAX)
		return err_fail(e, ERR_TOO_MANY_SOURCES,
		    "layer \"%s\" has %zu sources, the most that a layer may have: fold those that are finished",
		    m->w->name, STORE_SOURCES_MAX);
	return source_trees_make_room(m->batch->trees, m->tree, e);
}

static int
put_totals(struct moves *m, const char *name, const struct moments *totals, struct err *e)
{
	const size_t features = m->tree->sources->features;
	const struct source *old = sources_find(m->tree->sources, name);
	struct source *source;

	if (old != NULL && totals->count < old->own.count)
		return err_fail(e, ERR_SOURCE_WENT_BACK,
		    "source \"%s\" has %" PRIu64 " value%s already, and the count sent is %" PRIu64
		    ": a worker that starts from zero takes a new name",
		    name, old->own.count, err_plural(old->own.count), totals->count);
	if (check_room(m, name, e) < 0 || (source = moves_new_source(m, name, e)) == NULL)
		return -1;
	source->own.count = totals->count;
	if (totals->count > 0) {
		memcpy(source->own.mean, totals->mean, features * sizeof(double));
		memcpy(source->own.var, totals->var, features * sizeof(double));
	}
	return moves_exchange(m, name, source, e);
}

int
apply_source_put(struct batch *b, struct store_write *write, struct err *e)
{
	struct moves m = { .batch = b, .w = write_layer(b, write, e), .write = write };

	if (m.w == NULL || moves_begin(&m, write->source.features, 1, e) < 0)
		return -1;
	return moves_end(&m, put_totals(&m, write->source.name, write->source.totals, e), write->source.ddof, 0, e);
}

static int
take_out(struct moves *m, const char *name, struct err *e)
{
	if (*name == '\0' || sources_find(m->tree->sources, name) == NULL)
		return backend_refuse_source(m->w->name, name, e);
	return moves_exchange(m, name, NULL, e);
}

/* Refuses a layer without sources before a tree is made for it. */
static int
need_sources(const struct working *w, const char *name, struct err *e)
{
	return w->now.sources > 0 ? 0 : backend_refuse_source(w->name, name, e);
}

int
apply_source_delete(struct batch *b, struct store_write *write, struct err *e)
{
	struct moves m = { .batch = b, .w = write_layer(b, write, e), .write = write };

	if (m.w == NULL || need_sources(m.w, write->source.name, e) < 0 ||
	    moves_begin(&m, m.w->now.statistics.features, 1, e) < 0)
		return -1;
	return moves_end(&m, take_out(&m, write->source.name, e), write->source.ddof, 0, e);
}

/* A source, or the part without one, as the updates leave it. NULL with `e`. */
static struct source *
updated(const struct moves *m, const char *name, const struct update *list, size_t count, struct err *e)
{
	const size_t features = m->tree->sources->features;
	const struct source *old = sources_find(m->tree->sources, name);
	struct source *source = moves_new_source(m, name, e);
	enum update_result result = UPDATE_APPLIED;
	const struct statistics *in;
	struct statistics pairs[2];

	if (source == NULL)
		return NULL;
	/* Two pairs of arrays take turns, so that the last result is in the source's own. */
	pairs[0] = pairs[1] = source->own;
	pairs[1].mean = source_spare(source);
	pairs[1].var = pairs[1].mean + features;
	in = old != NULL ? &old->own : &pairs[count % 2];
	for (size_t i = 0; i < count && result == UPDATE_APPLIED; i++) {
		struct update u = list[i];

		if (*name != '\0')
			u.ddof = 0;
		result = update_apply(in, &u, &pairs[(count - 1 - i) % 2]);
		in = &pairs[(count - 1 - i) % 2];
	}
	source->own.count = in->count;
	if (result == UPDATE_APPLIED)
		return source;
	(void)write_refuse_update(result, m->w, features, e);
	source_free(source);
	return NULL;
}

static int
update_source(struct moves *m, const char *name, const struct update *list, size_t count, struct err *e)
{
	struct source *source;

	if (check_room(m, name, e) < 0 || (source = updated(m, name, list, count, e)) == NULL)
		return -1;
	return moves_exchange(m, name, source, e);
}

int
apply_sources_update(struct batch *b, struct working *w, const struct store_write *write, struct err *e)
{
	struct moves m = { .batch = b, .w = w, .write = write };
	const struct update *list = write->updates.list;
	const size_t count = write->updates.count;
	const char *name = write->updates.source != NULL ? write->updates.source : "";

	for (size_t i = 0; i < count; i++)
		if (list[i].averaging != AVERAGING_POOLED)
			return err_fail(e, ERR_BAD_PARAMETER, "layer \"%s\" is not pooled: it has no sources", w->name);
	if (moves_begin(&m, list->features, 1, e) < 0)
		return -1;
	return moves_end(&m, update_source(&m, name, list, count, e), list->ddof, count, e);
}

static int
fold(struct moves *m, const struct store_write *write, struct err *e)
{
	struct update *list = arena_array(&m->batch->arena, write->fold.count, sizeof(*list));
	size_t count = 0;

	if (list == NULL)
		return err_fail_memory(e);
	for (size_t i = 0; i < write->fold.count; i++) {
		const struct statistics *own;

		if (take_out(m, write->fold.names[i], e) < 0)
			return -1;
		own = &m->list[m->count - 1].before->own;
		if (own->count == 0)
			continue;
		list[count] = (struct update){ .averaging = AVERAGING_POOLED,
			.ddof = write->fold.ddof,
			.count = own->count,
			.features = own->features,
			.mean = own->mean,
			.var = own->var };
		count++;
	}
	return count == 0 ? 0 : update_source(m, "", list, count, e);
}

/* Taking one source out costs about 30 merges, pooling all n sources 2 n: a fold of more than n / 16 pools once. */
#define FEW_PART 16

int
apply_sources_fold(struct batch *b, struct store_write *write, struct err *e)
{
	struct moves m = { .batch = b, .w = write_layer(b, write, e), .write = write };

	if (m.w == NULL || (write->fold.count > 0 && need_sources(m.w, write->fold.names[0], e) < 0))
		return -1;
	m.pools_once = write->fold.count > m.w->now.sources / FEW_PART;
	if (moves_begin(&m, m.w->now.statistics.features, write->fold.count + 1, e) < 0)
		return -1;
	return moves_end(&m, fold(&m, write, e), write->fold.ddof, 0, e);
}

int
write_forget_sources(struct batch *b, struct working *w, struct err *e)
{
	if (w->now.sources == 0)
		return 0;
	source_trees_drop(b->trees, w->base->identity->id);
	if (batch_wrote(b, b->backend->ops->delete_sources(b->backend, w->base->identity, e)) < 0)
		return -1;
	w->now.sources = 0;
	return 0;
}
