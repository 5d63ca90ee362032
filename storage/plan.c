/* SPDX-License-Identifier: MIT */
#include "storage/plan.h"

#include <stdlib.h>
#include <string.h>

#include "storage/batch.h"
#include "storage/windows.h"

/* Room for lists that are gathered, with doubles, before they are sorted. */
struct room {
	size_t layers, models, keys;
};

static struct room
room_of_changes(const struct store_op *ops, size_t window_count)
{
	struct room room = { window_count, window_count, 0 };

	for (const struct store_op *op = ops; op != NULL; op = op->next) {
		room.layers += op->change.count;
		room.models += op->change.count;
		room.keys += op->change.key != NULL ? op->change.count : 0;
	}
	return room;
}

static struct room
room_of_reads(const struct store_op *ops)
{
	struct room room = { 0 };

	for (const struct store_op *op = ops; op != NULL; op = op->next)
		if (op->kind == STORE_LAYER_GET || op->kind == STORE_LAYERS_GET) {
			room.layers += op->kind == STORE_LAYER_GET ? 1 : op->layers.count;
			room.models++;
		}
	return room;
}

static int
make_room(struct batch_plan *plan, struct room room, struct arena *arena, struct err *e)
{
	memset(plan, 0, sizeof(*plan));
	plan->layers = arena_array(arena, room.layers, sizeof(*plan->layers));
	plan->models = arena_array(arena, room.models, sizeof(*plan->models));
	plan->keys = arena_array(arena, room.keys, sizeof(*plan->keys));
	return plan->layers == NULL || plan->models == NULL || plan->keys == NULL ? err_fail_memory(e) : 0;
}

static void
add_layer(struct batch_plan *plan, const char *model, const char *name)
{
	plan->layers[plan->layer_count++] = (struct planned_layer){ .model = model, .name = name };
}

static void
add_model(struct batch_plan *plan, const char *name, bool whole)
{
	plan->models[plan->model_count++] = (struct planned_model){ name, whole };
}

static int
compare_layers(const void *a, const void *b)
{
	const struct planned_layer *x = a, *y = b;
	const int by_model = strcmp(x->model, y->model);

	return by_model != 0 ? by_model : strcmp(x->name, y->name);
}

/* Of two entries of a model, the one that means the whole comes first, and stays. */
static int
compare_models(const void *a, const void *b)
{
	const struct planned_model *x = a, *y = b;
	const int by_name = strcmp(x->name, y->name);

	return by_name != 0 ? by_name : (int)y->whole - (int)x->whole;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const struct planned_model *)a)->name, ((const struct planned_model *)b)->name);
}

static int
compare_keys(const void *a, const void *b)
{
	const struct planned_key *x = a, *y = b;

	return x->layer != y->layer ? (x->layer < y->layer ? -1 : 1) : strcmp(x->key, y->key);
}

/* Sorts a list, and leaves one of each run of entries that `same` calls equal. How many are left. */
static size_t
sort_unique(void *list, size_t count, size_t size, int (*order)(const void *, const void *),
    int (*same)(const void *, const void *))
{
	char *entries = list;
	size_t kept = 0;

	if (count == 0)
		return 0;
	qsort(list, count, size, order);
	for (size_t i = 1; i < count; i++)
		if (same(entries + kept * size, entries + i * size) != 0)
			memmove(entries + ++kept * size, entries + i * size, size);
	return kept + 1;
}

static void
sort_layers(struct batch_plan *plan, struct cache *cache)
{
	plan->layer_count =
	    sort_unique(plan->layers, plan->layer_count, sizeof(*plan->layers), compare_layers, compare_layers);
	plan->model_count =
	    sort_unique(plan->models, plan->model_count, sizeof(*plan->models), compare_models, compare_names);
	for (size_t i = 0; i < plan->layer_count; i++)
		plan->layers[i].known = cache_get_any(cache, plan->layers[i].model, plan->layers[i].name, 0);
}

static void
add_change(struct batch_plan *plan, const struct store_change *change)
{
	for (size_t i = 0; i < change->count; i++) {
		const struct store_write *write = &change->writes[i];
		const bool whole = write_is_of_model(write);

		add_model(plan, write->model, whole);
		if (!whole)
			add_layer(plan, write->model, write->layer);
	}
}

/* Once the layers have their numbers. */
static void
add_keys(struct batch_plan *plan, const struct store_change *change)
{
	for (size_t i = 0; i < change->count && change->key != NULL; i++) {
		const struct store_write *write = &change->writes[i];

		if (!write_is_of_model(write))
			plan->keys[plan->key_count++] =
			    (struct planned_key){ plan_find_layer(plan, write->model, write->layer), change->key };
	}
}

int
plan_changes(struct batch_plan *plan, const struct store_op *ops, const struct window_taken *windows,
    size_t window_count, struct cache *cache, struct arena *arena, struct err *e)
{
	if (make_room(plan, room_of_changes(ops, window_count), arena, e) < 0)
		return -1;
	for (size_t i = 0; i < window_count; i++) {
		add_layer(plan, windows[i].window->identity->model, windows[i].window->identity->name);
		add_model(plan, windows[i].window->identity->model, false);
	}
	for (const struct store_op *op = ops; op != NULL; op = op->next)
		add_change(plan, &op->change);
	sort_layers(plan, cache);
	for (const struct store_op *op = ops; op != NULL; op = op->next)
		add_keys(plan, &op->change);
	plan->key_count = sort_unique(plan->keys, plan->key_count, sizeof(*plan->keys), compare_keys, compare_keys);
	return 0;
}

int
plan_reads(struct batch_plan *plan, const struct store_op *ops, struct cache *cache, struct arena *arena, struct err *e)
{
	if (make_room(plan, room_of_reads(ops), arena, e) < 0)
		return -1;
	for (const struct store_op *op = ops; op != NULL; op = op->next) {
		if (op->kind == STORE_LAYER_GET) {
			add_layer(plan, op->get.model, op->get.layer);
			add_model(plan, op->get.model, false);
		}
		if (op->kind == STORE_LAYERS_GET) {
			add_model(plan, op->layers.model, false);
			for (size_t i = 0; i < op->layers.count; i++)
				add_layer(plan, op->layers.model, op->layers.names[i]);
		}
	}
	sort_layers(plan, cache);
	return 0;
}

void
plan_fini(struct batch_plan *plan)
{
	for (size_t i = 0; i < plan->layer_count; i++)
		snapshot_unref(plan->layers[i].known);
	plan->layer_count = 0;
}

/* The number of the entry of a sorted list that is equal to `wanted`, or the list's length. */
static size_t
find(const void *wanted, const void *list, size_t count, size_t size, int (*same)(const void *, const void *))
{
	const char *found = count > 0 ? bsearch(wanted, list, count, size, same) : NULL;

	return found != NULL ? (size_t)(found - (const char *)list) / size : count;
}

size_t
plan_find_layer(const struct batch_plan *plan, const char *model, const char *name)
{
	const struct planned_layer wanted = { .model = model, .name = name };

	return find(&wanted, plan->layers, plan->layer_count, sizeof(wanted), compare_layers);
}

size_t
plan_find_model(const struct batch_plan *plan, const char *name)
{
	const struct planned_model wanted = { .name = name };

	return find(&wanted, plan->models, plan->model_count, sizeof(wanted), compare_names);
}

size_t
plan_find_key(const struct batch_plan *plan, size_t layer, const char *key)
{
	const struct planned_key wanted = { layer, key };

	return find(&wanted, plan->keys, plan->key_count, sizeof(wanted), compare_keys);
}
