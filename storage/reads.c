/* SPDX-License-Identifier: MIT */
#include "storage/reads.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "storage/history.h"
#include "storage/snapshot.h"
#include "storage/versions.h"
#include "storage/window_rows.h"

static int
find_layer(const struct committed *c, const char *model, const char *layer, struct budget_share *memory,
    const struct snapshot **out, struct err *e)
{
	*out = cache_get(c->cache, model, layer, 0);
	if (*out != NULL)
		return 0;
	if (c->backend->ops->load(c->backend, model, layer, memory, out, e) < 0)
		return -1;
	if (*out == NULL) {
		cache_drop(c->cache, model, layer); /* others may have deleted it */
		(void)backend_refuse_layer(c->backend, model, layer, e);
		return -1;
	}
	cache_put(c->cache, *out);
	return 0;
}

/* The cache's state is older than one that the client has seen: others have written it. */
static int
read_again(const struct committed *c, const struct store_get *get, const struct snapshot **out, struct err *e)
{
	const struct snapshot *newer = NULL;
	int result = 0;

	if (c->backend->shared && c->backend->ops->load(c->backend, get->model, get->layer, get->memory, &newer, e) < 0)
		return -1;
	if (newer != NULL) {
		cache_put(c->cache, newer);
		snapshot_unref(*out);
		*out = newer;
	}
	if ((*out)->revision < get->min_revision)
		result = err_fail(e, ERR_REVISION_MISMATCH,
		    "layer \"%s\" is at revision %" PRIu64 ", below Normd-Min-Revision %" PRIu64, get->layer,
		    (*out)->revision, get->min_revision);
	return result;
}

/* The state of a layer in a version, or live, where that is 0. */
static int
find_state(const struct committed *c, const struct store_get *get, uint64_t version, const struct snapshot **out,
    struct err *e)
{
	if (version != 0)
		return versions_layer(c->backend, c->cache, get, version, out, e);
	if (find_layer(c, get->model, get->layer, get->memory, out, e) < 0)
		return -1;
	return (*out)->revision < get->min_revision ? read_again(c, get, out, e) : 0;
}

static int
read_layer(const struct committed *c, struct store_op *op, struct err *e)
{
	struct store_get *get = &op->get;
	uint64_t version;

	if (cache_get_which(c->cache, get) != NULL)
		return 0;
	if (versions_resolve(c->backend, c->cache, get->model, &get->which, &version, e) < 0)
		return -1;
	return find_state(c, get, version, &get->snapshot, e);
}

/* Nothing is committed meanwhile, so all that is read is of one state. */
static int
read_layers(const struct committed *c, struct store_op *op, struct err *e)
{
	struct store_layers *layers = &op->layers;
	struct store_get get = { .model = layers->model,
		.which = layers->which,
		.min_revision = layers->min_revision,
		.memory = layers->memory };
	uint64_t version;

	if (cache_get_all(c->cache, layers))
		return 0;
	if (versions_resolve(c->backend, c->cache, layers->model, &layers->which, &version, e) < 0)
		return -1;
	for (size_t i = 0; i < layers->count; i++) {
		get.layer = layers->names[i];
		if (find_state(c, &get, version, &layers->snapshots[i], e) < 0)
			return -1;
	}
	return 0;
}

static int
read_sources(const struct committed *c, struct store_op *op, struct err *e)
{
	struct store_sources *list = &op->sources;

	if (find_layer(c, list->model, list->layer, list->memory, &list->snapshot, e) < 0 ||
	    c->backend->ops->list_sources(c->backend, list, e) < 0)
		return -1;
	return list->name == NULL || list->count > 0 ? 0 : backend_refuse_source(list->layer, list->name, e);
}

static int
read_layer_list(const struct committed *c, struct store_op *op, struct err *e)
{
	if (backend_need_model(c->backend, op->list.model, e) < 0)
		return -1;
	return c->backend->ops->list_layers(c->backend, &op->list, e);
}

static int
read_model_list(const struct committed *c, struct store_op *op, struct err *e)
{
	return c->backend->ops->list_models(c->backend, &op->list, e);
}

static int
read_versions(const struct committed *c, struct store_op *op, struct err *e)
{
	return versions_list(c->backend, &op->versions, e);
}

static int
read_states(const struct committed *c, struct store_op *op, struct err *e)
{
	return versions_states(c->backend, c->cache, &op->states, e);
}

static int
read_switches(const struct committed *c, struct store_op *op, struct err *e)
{
	if (backend_need_model(c->backend, op->switches.model, e) < 0)
		return -1;
	return c->backend->ops->list_switches(c->backend, &op->switches, e);
}

static int
read_aliases(const struct committed *c, struct store_op *op, struct err *e)
{
	return versions_list_aliases(c->backend, &op->aliases, e);
}

/* Versions keep the states of layers that are deleted, but not their windows. */
static int
refuse_window(const struct store_window *window, struct err *e)
{
	return err_fail(e, ERR_NO_SUCH_LAYER,
	    "layer \"%s\" was deleted from model \"%s\" with its window: only a version may still have its state",
	    window->layer, window->model);
}

static int
read_window(const struct committed *c, struct store_op *op, struct err *e)
{
	struct store_window *window = &op->window;
	struct window_values values;

	if (find_layer(c, window->model, window->layer, window->memory, &window->snapshot, e) < 0)
		return window->layer_id != 0 && e->code == ERR_NO_SUCH_LAYER ? refuse_window(window, e) : -1;
	if (window->layer_id != 0 && window->layer_id != window->snapshot->identity->id)
		return refuse_window(window, e);
	if (window_rows_read(c, window->snapshot, window->memory, &values, e) < 0)
		return -1;
	window->moments = values.moments;
	window->since_s = values.since_s;
	window->lists = values.lists;
	return 0;
}

/* Of the present state, where there is one to show it. */
static int
read_drift(const struct committed *c, struct store_history *list, struct err *e)
{
	struct window_values values;

	list->drift = NAN;
	if (list->before != 0 || list->snapshot->statistics.mean == NULL)
		return 0;
	if (window_rows_read(c, list->snapshot, list->memory, &values, e) < 0)
		return -1;
	list->drift = history_drift(list->snapshot, &values.moments);
	free(values.lists);
	budget_give(list->memory, values.bytes);
	return 0;
}

static int
read_history(const struct committed *c, struct store_op *op, struct err *e)
{
	struct store_history *list = &op->history;

	if (find_layer(c, list->model, list->layer, list->memory, &list->snapshot, e) < 0 || read_drift(c, list, e) < 0)
		return -1;
	return c->backend->ops->list_moments(c->backend, list, e);
}

static int (*const table[STORE_OP_COUNT])(const struct committed *c, struct store_op *op, struct err *e) = {
	[STORE_LAYER_GET] = read_layer,
	[STORE_LAYERS_GET] = read_layers,
	[STORE_LAYER_LIST] = read_layer_list,
	[STORE_MODEL_LIST] = read_model_list,
	[STORE_SOURCES_GET] = read_sources,
	[STORE_VERSIONS_GET] = read_versions,
	[STORE_STATES_GET] = read_states,
	[STORE_SWITCHES_GET] = read_switches,
	[STORE_ALIASES_GET] = read_aliases,
	[STORE_HISTORY_GET] = read_history,
	[STORE_WINDOW_GET] = read_window,
};

void
reads_answer(const struct committed *c, struct store_op *op)
{
	(void)table[op->kind](c, op, &op->err);
	op->done(op);
}
