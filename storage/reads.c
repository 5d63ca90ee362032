/* SPDX-License-Identifier: MIT */
#include "storage/reads.h"

#include "storage/snapshot.h"
#include "storage/versions.h"

static int
find_layer(const struct committed *c, const char *model, const char *layer, struct budget_share *memory,
    const struct snapshot **out, struct err *e)
{
	*out = cache_get(c->cache, model, layer, 0);
	if (*out != NULL)
		return 0;
	if (c->backend->ops->load(c->backend, model, layer, memory, out, e) < 0)
		return -1;
	if (*out == NULL)
		return backend_refuse_layer(c->backend, model, layer, e);
	cache_put(c->cache, *out);
	return 0;
}

static int
read_layer(const struct committed *c, struct store_op *op, struct err *e)
{
	struct store_get *get = &op->get;
	uint64_t version;

	if (versions_resolve(c->backend, c->cache, get->model, &get->which, &version, e) < 0)
		return -1;
	if (version != 0)
		return versions_layer(c->backend, c->cache, get, version, e);
	return find_layer(c, get->model, get->layer, get->memory, &get->snapshot, e);
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

static int
read_history(const struct committed *c, struct store_op *op, struct err *e)
{
	struct store_history *list = &op->history;

	if (find_layer(c, list->model, list->layer, list->memory, &list->snapshot, e) < 0)
		return -1;
	return c->backend->ops->list_moments(c->backend, list, e);
}

static int (*const table[STORE_OP_COUNT])(const struct committed *c, struct store_op *op, struct err *e) = {
	[STORE_LAYER_GET] = read_layer,
	[STORE_LAYER_LIST] = read_layer_list,
	[STORE_MODEL_LIST] = read_model_list,
	[STORE_SOURCES_GET] = read_sources,
	[STORE_VERSIONS_GET] = read_versions,
	[STORE_STATES_GET] = read_states,
	[STORE_SWITCHES_GET] = read_switches,
	[STORE_ALIASES_GET] = read_aliases,
	[STORE_HISTORY_GET] = read_history,
};

void
reads_answer(const struct committed *c, struct store_op *op)
{
	(void)table[op->kind](c, op, &op->err);
	op->done(op);
}
