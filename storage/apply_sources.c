/* SPDX-License-Identifier: MIT */
/*
 * Writes to sources. Each is a list of exchanges in the layer's tree, one source for another; then come the pool, the
 * question whether the write is accepted, and the rows. A write that is refused takes its exchanges back, which gives
 * the tree the same bits as before, because they depend on the names and their totals alone.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "storage/apply.h"

struct moves {
	struct batch *batch;
	struct working *w;
	const struct store_write *write;
	struct source_tree *tree;
	struct exchanged {
		struct source *before, *now;
	} * list;
	size_t count;
};

/* In place of the one of the same name. */
static int
exchange(struct moves *m, const char *name, struct source *source, struct err *e)
{
	struct sources *t = m->tree->sources;
	struct exchanged *x = &m->list[m->count++];
	const enum update_result result = sources_exchange(t, name, source, &x->before);

	x->now = source;
	return result == UPDATE_APPLIED ? 0 : write_refuse_update(result, m->w, t->features, e);
}

static void
go_back(struct moves *m)
{
	struct source *taken;

	while (m->count > 0) {
		const struct exchanged *x = &m->list[--m->count];
		const char *name = x->now != NULL ? x->now->name : x->before->name;
		const enum update_result result = sources_exchange(m->tree->sources, name, x->before, &taken);

		assert(result == UPDATE_APPLIED && taken == x->now);
		source_free(taken);
	}
}

static struct source *
new_source(const struct moves *m, const char *name, struct err *e)
{
	struct source *source = source_new(m->tree->sources->features, name, m->batch->now_s);

	if (source == NULL)
		err_set_memory(e);
	return source;
}

/* A layer gets its first source: what it has so far is the part without one. */
static int
take_part(struct moves *m, struct err *e)
{
	const struct statistics *s = &m->w->now.statistics;
	struct source *part;

	if (m->w->now.sources > 0 || s->mean == NULL)
		return 0;
	part = new_source(m, "", e);
	if (part == NULL)
		return -1;
	memcpy(part->own.mean, s->mean, s->features * sizeof(double));
	memcpy(part->own.var, s->var, s->features * sizeof(double));
	part->own.count = s->count;
	return exchange(m, "", part, e);
}

/* Begins a write of at most `max` exchanges. A failure leaves nothing to end. */
static int
begin(struct moves *m, size_t features, size_t max, struct err *e)
{
	const struct snapshot *now = &m->w->now;
	struct batch *b = m->batch;

	if (now->statistics.features != 0 && now->statistics.features != features) {
		(void)write_refuse_features(m->w, features, e);
		return -1;
	}
	/* Two more: the part, when the first source comes, and when the last has gone. */
	m->list = arena_array(&b->arena, max + 2, sizeof(*m->list));
	if (m->list == NULL)
		return err_fail_memory(e);
	m->tree = source_trees_get(b->trees, b->backend, now, features, e);
	if (m->tree == NULL)
		return -1;
	if (take_part(m, e) == 0)
		return 0;
	source_trees_settle(b->trees, m->tree);
	return -1;
}

static int
write_rows(const struct moves *m, struct err *e)
{
	const struct backend_ops *ops = m->batch->backend->ops;
	const int64_t id = m->tree->layer_id;

	for (size_t i = 0; i < m->count; i++) {
		const struct exchanged *x = &m->list[i];

		if ((x->now != NULL ? ops->put_source(m->batch->backend, id, x->now, e) :
				      ops->delete_source(m->batch->backend, id, x->before->name, e)) < 0) {
			m->batch->broken = true;
			return -1;
		}
	}
	return 0;
}

/* The state that the exchanges lead to, and one more if it has no sources any more. */
static int
next_state(struct moves *m, unsigned ddof, uint64_t batches, struct snapshot *next, struct err *e)
{
	const struct sources *t = m->tree->sources;
	struct statistics *s = &next->statistics;
	enum update_result result;

	*next = m->w->now;
	next->revision++;
	next->sources = t->count;
	if (write_next_arrays(m->batch, m->w, t->features, s, e) < 0)
		return -1;
	s->num_batches_tracked = m->w->now.statistics.num_batches_tracked;
	result = s->num_batches_tracked > STATISTICS_COUNT_MAX - batches ? UPDATE_COUNT_OVERFLOWS :
									   sources_statistics(t, ddof, s);
	if (result != UPDATE_APPLIED)
		return write_refuse_update(result, m->w, t->features, e);
	s->num_batches_tracked = m->w->now.statistics.num_batches_tracked + batches;
	return t->count == 0 && t->part != NULL ? exchange(m, "", NULL, e) : 0;
}

/* Ends a write. `result` -1: it is refused already. `batches`: as many more were tracked. */
static int
end(struct moves *m, int result, unsigned ddof, uint64_t batches, struct err *e)
{
	struct snapshot next;

	if (result == 0 && next_state(m, ddof, batches, &next, e) == 0 && write_ask(m->write, &next, e) == 0 &&
	    write_rows(m, e) == 0) {
		write_move(m->w, &m->w->now.statistics, &next.statistics);
		m->w->now.revision = next.revision;
		m->w->now.sources = next.sources;
		m->w->dirty = true;
		for (size_t i = 0; i < m->count; i++)
			source_free(m->list[i].before);
	} else {
		result = -1;
		go_back(m);
	}
	source_trees_settle(m->batch->trees, m->tree);
	return result;
}

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
	if (check_room(m, name, e) < 0 || (source = new_source(m, name, e)) == NULL)
		return -1;
	source->own.count = totals->count;
	if (totals->count > 0) {
		memcpy(source->own.mean, totals->mean, features * sizeof(double));
		memcpy(source->own.var, totals->var, features * sizeof(double));
	}
	return exchange(m, name, source, e);
}

int
apply_source_put(struct batch *b, struct store_write *write, struct err *e)
{
	struct moves m = { .batch = b, .w = write_layer(b, write, e), .write = write };

	if (m.w == NULL || begin(&m, write->source.features, 1, e) < 0)
		return -1;
	return end(&m, put_totals(&m, write->source.name, write->source.totals, e), write->source.ddof, 0, e);
}

static int
take_out(struct moves *m, const char *name, struct err *e)
{
	if (*name == '\0' || sources_find(m->tree->sources, name) == NULL)
		return backend_refuse_source(m->w->name, name, e);
	return exchange(m, name, NULL, e);
}

int
apply_source_delete(struct batch *b, struct store_write *write, struct err *e)
{
	struct moves m = { .batch = b, .w = write_layer(b, write, e), .write = write };

	if (m.w == NULL || begin(&m, m.w->now.statistics.features, 1, e) < 0)
		return -1;
	return end(&m, take_out(&m, write->source.name, e), write->source.ddof, 0, e);
}

/* A source, or the part without one, as the updates leave it. NULL with `e`. */
static struct source *
updated(const struct moves *m, const char *name, const struct update *list, size_t count, struct err *e)
{
	const size_t features = m->tree->sources->features;
	const struct source *old = sources_find(m->tree->sources, name);
	struct source *source = new_source(m, name, e);
	enum update_result result = UPDATE_APPLIED;
	const struct statistics *in;

	if (source == NULL)
		return NULL;
	/* Two pairs of arrays take turns, so that the last result is in the source's own. */
	struct statistics pairs[2] = { source->own, source->own };

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
	return exchange(m, name, source, e);
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
	if (begin(&m, list->features, 1, e) < 0)
		return -1;
	return end(&m, update_source(&m, name, list, count, e), list->ddof, count, e);
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

int
apply_sources_fold(struct batch *b, struct store_write *write, struct err *e)
{
	struct moves m = { .batch = b, .w = write_layer(b, write, e), .write = write };

	if (m.w == NULL || begin(&m, m.w->now.statistics.features, write->fold.count + 1, e) < 0)
		return -1;
	return end(&m, fold(&m, write, e), write->fold.ddof, 0, e);
}

int
write_forget_sources(struct batch *b, struct working *w, struct err *e)
{
	if (w->now.sources == 0)
		return 0;
	source_trees_drop(b->trees, w->base->identity->id);
	if (b->backend->ops->delete_sources(b->backend, w->base->identity->id, e) < 0) {
		b->broken = true;
		return -1;
	}
	w->now.sources = 0;
	return 0;
}
