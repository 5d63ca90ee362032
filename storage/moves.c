/* SPDX-License-Identifier: MIT */
#include "storage/moves.h"

#include <assert.h>
#include <string.h>

static enum update_result
pool_once(const struct moves *m)
{
	return m->pools_once ? sources_pool_all(m->tree->sources) : UPDATE_APPLIED;
}

int
moves_exchange(struct moves *m, const char *name, struct source *source, struct err *e)
{
	struct exchanged *x = &m->list[m->count++];
	const enum update_result result = sources_exchange(m->tree->sources, name, source, !m->pools_once, &x->before);

	x->now = source;
	/* A fold goes on: the pool may overflow after one exchange, and fit after the last. */
	if (result != UPDATE_APPLIED && m->write->kind == STORE_SOURCES_FOLD) {
		m->pools_once = true;
		return 0;
	}
	return result == UPDATE_APPLIED ? 0 : write_refuse_update(result, m->w, m->tree->sources->features, e);
}

static void
go_back(struct moves *m)
{
	enum update_result result;
	struct source *taken;

	while (m->count > 0) {
		const struct exchanged *x = &m->list[--m->count];
		const char *name = x->now != NULL ? x->now->name : x->before->name;

		result = sources_exchange(m->tree->sources, name, x->before, !m->pools_once, &taken);
		assert(result == UPDATE_APPLIED && taken == x->now);
		source_free(taken);
	}
	result = pool_once(m);
	assert(result == UPDATE_APPLIED);
}

struct source *
moves_new_source(const struct moves *m, const char *name, struct err *e)
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
	part = moves_new_source(m, "", e);
	if (part == NULL)
		return -1;
	memcpy(part->own.mean, s->mean, s->features * sizeof(double));
	memcpy(part->own.var, s->var, s->features * sizeof(double));
	part->own.count = s->count;
	return moves_exchange(m, "", part, e);
}

int
moves_begin(struct moves *m, size_t features, size_t max, struct err *e)
{
	const struct snapshot *now = &m->w->now;
	struct batch *b = m->batch;

	if (now->statistics.features != 0 && now->statistics.features != features) {
		(void)write_refuse_features(m->w, features, e);
		return -1;
	}
	/* Two more: the part when the first source comes, and when the last one has gone. */
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
	const struct layer_identity *layer = m->w->base->identity;

	for (size_t i = 0; i < m->count; i++) {
		const struct exchanged *x = &m->list[i];

		if (batch_wrote(m->batch,
			x->now != NULL ? ops->put_source(m->batch->backend, layer, x->now, e) :
					 ops->delete_source(m->batch->backend, layer, x->before->name, e)) < 0)
			return -1;
	}
	return 0;
}

/* The state that the exchanges lead to. Where no source is left, the part is taken out of the tree too. */
static int
next_state(struct moves *m, unsigned ddof, uint64_t batches, struct snapshot *next, struct err *e)
{
	const struct sources *t = m->tree->sources;
	struct statistics *s = &next->statistics;
	enum update_result result;

	*next = m->w->now;
	next->revision = write_next_revision(m->batch, m->w);
	next->sources = t->count;
	if (write_next_arrays(m->batch, m->w, t->features, s, e) < 0)
		return -1;
	s->num_batches_tracked = m->w->now.statistics.num_batches_tracked;
	result = s->num_batches_tracked > STATISTICS_COUNT_MAX - batches ? UPDATE_COUNT_OVERFLOWS : pool_once(m);
	if (result == UPDATE_APPLIED)
		result = sources_statistics(t, ddof, s);
	if (result != UPDATE_APPLIED)
		return write_refuse_update(result, m->w, t->features, e);
	s->num_batches_tracked = m->w->now.statistics.num_batches_tracked + batches;
	return t->count == 0 && t->part != NULL ? moves_exchange(m, "", NULL, e) : 0;
}

int
moves_end(struct moves *m, int result, unsigned ddof, uint64_t batches, struct err *e)
{
	struct snapshot next;

	if (result == 0 && next_state(m, ddof, batches, &next, e) == 0 && write_ask(m->write, &next, e) == 0 &&
	    write_rows(m, e) == 0) {
		write_move(m->w, &m->w->now.statistics, &next.statistics);
		m->w->now.sources = next.sources;
		write_mark_dirty(m->batch, m->w);
		m->tree->revision = m->w->now.revision;
		for (size_t i = 0; i < m->count; i++)
			source_free(m->list[i].before);
	} else {
		result = -1;
		go_back(m);
	}
	source_trees_settle(m->batch->trees, m->tree);
	return result;
}
