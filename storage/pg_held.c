/* SPDX-License-Identifier: MIT */
#include "storage/pg_held.h"

#include <stdlib.h>
#include <string.h>

#include "storage/pg_backend.h"
#include "storage/pg_keys.h"
#include "storage/pg_states.h"

int
pg_held_init(struct pg_held *h, const struct batch_plan *plan, struct err *e)
{
	h->plan = plan;
	h->layers = calloc(plan->layer_count + 1, sizeof(*h->layers));
	h->models = calloc(plan->model_count + 1, sizeof(*h->models));
	h->keys = calloc(plan->key_count + 1, sizeof(*h->keys));
	if (h->layers != NULL && h->models != NULL && h->keys != NULL)
		return 0;
	pg_held_fini(h);
	return err_fail_memory(e);
}

void
pg_held_fini(struct pg_held *h)
{
	for (size_t i = 0; h->plan != NULL && h->layers != NULL && i < h->plan->layer_count; i++)
		snapshot_unref(h->layers[i].snapshot);
	free(h->layers);
	free(h->models);
	free(h->keys);
	memset(h, 0, sizeof(*h));
}

struct pg_held_layer *
pg_held_layer(const struct pg_held *h, const char *model, const char *name)
{
	const size_t i = h->plan != NULL ? plan_find_layer(h->plan, model, name) : 0;

	return h->plan != NULL && i < h->plan->layer_count ? &h->layers[i] : NULL;
}

struct pg_held_model *
pg_held_model(const struct pg_held *h, const char *model)
{
	const size_t i = h->plan != NULL ? plan_find_model(h->plan, model) : 0;

	return h->plan != NULL && i < h->plan->model_count ? &h->models[i] : NULL;
}

void
pg_held_forget_model(struct pg_held *h, const char *model)
{
	struct pg_held_model *held = pg_held_model(h, model);

	if (held != NULL)
		held->known = false;
	for (size_t i = 0; h->plan != NULL && i < h->plan->layer_count; i++)
		if (strcmp(h->plan->layers[i].model, model) == 0) {
			h->layers[i].known = false;
			h->layers[i].revision = -1;
		}
}

/* The layers of a plan that are of one model: from `first` to before the one that is returned. */
static size_t
end_of_model(const struct batch_plan *plan, size_t first)
{
	size_t end = first;

	while (end < plan->layer_count && strcmp(plan->layers[end].model, plan->layers[first].model) == 0)
		end++;
	return end;
}

static void
ask_models(struct backend *b, bool lock, size_t *count)
{
	const struct batch_plan *plan = pg_self(b)->held.plan;

	for (size_t i = 0; i < plan->model_count; i++, ++*count)
		pg_states_ask_model(b, plan->models[i].name,
		    !lock                     ? PG_UNLOCKED :
			plan->models[i].whole ? PG_FOR_UPDATE :
						PG_FOR_SHARE);
}

static void
ask_layers(struct backend *b, bool lock, size_t *count)
{
	const struct batch_plan *plan = pg_self(b)->held.plan;

	for (size_t first = 0, end; first < plan->layer_count; first = end, ++*count) {
		end = end_of_model(plan, first);
		pg_states_ask_layers(b, plan->layers + first, end - first, lock);
	}
}

/* The keys of a plan that are of one model. */
static size_t
end_of_keys(const struct batch_plan *plan, size_t first)
{
	const char *model = plan->layers[plan->keys[first].layer].model;
	size_t end = first;

	while (end < plan->key_count && strcmp(plan->layers[plan->keys[end].layer].model, model) == 0)
		end++;
	return end;
}

static void
ask_keys(struct backend *b, size_t *count)
{
	const struct batch_plan *plan = pg_self(b)->held.plan;

	for (size_t first = 0, end; first < plan->key_count; first = end, ++*count) {
		end = end_of_keys(plan, first);
		pg_keys_ask(b, plan, first, end);
	}
}

void
pg_held_ask(struct backend *b, bool lock, size_t *count)
{
	*count = 0;
	ask_models(b, lock, count);
	ask_layers(b, lock, count);
	ask_keys(b, count);
}

static int
take_layers(struct backend *b, const char *model, const PGresult *r, struct err *e)
{
	struct pg_held *h = &pg_self(b)->held;

	for (int row = 0; row < PQntuples(r); row++) {
		const size_t i = plan_find_layer(h->plan, model, PQgetvalue(r, row, 0));
		struct pg_held_layer *layer = &h->layers[i];

		if (i == h->plan->layer_count || layer->snapshot != NULL)
			continue;
		if (pg_states_take(b, r, row, &h->plan->layers[i], &layer->snapshot, e) < 0)
			return -1;
		layer->id = layer->snapshot->identity->id;
		layer->revision = (int64_t)layer->snapshot->revision;
	}
	return 0;
}

/* In the order in which they were asked for. */
int
pg_held_take(struct backend *b, PGresult *const *results, struct err *e)
{
	struct pg_held *h = &pg_self(b)->held;
	const struct batch_plan *plan = h->plan;

	for (size_t i = 0; i < plan->model_count; i++) {
		pg_states_take_model(*results++, &h->models[i].row);
		h->models[i].known = true;
	}
	for (size_t first = 0; first < plan->layer_count; first = end_of_model(plan, first))
		if (take_layers(b, plan->layers[first].model, *results++, e) < 0)
			return -1;
	for (size_t i = 0; i < plan->layer_count; i++)
		h->layers[i].known = true;
	for (size_t first = 0; first < plan->key_count; first = end_of_keys(plan, first))
		if (pg_keys_take(b, *results++, first, end_of_keys(plan, first), e) < 0)
			return -1;
	return 0;
}
