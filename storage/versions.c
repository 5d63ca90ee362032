/* SPDX-License-Identifier: MIT */
#include "storage/versions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The lists of a page of states together. A single layer's may be longer. */
#define PAGE_BYTES ((size_t)512 << 10)

bool
store_name_number(const char *name, uint64_t *number)
{
	const size_t digits = strspn(name, "0123456789");

	*number = 0;
	if (strcmp(name, "live") == 0)
		return true;
	if (digits == 0 || name[digits] != '\0')
		return false;
	for (const char *c = name; *c != '\0'; c++)
		if (__builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, (uint64_t)(*c - '0'), number) || *number > INT64_MAX)
			*number = INT64_MAX;
	if (*number == 0)
		*number = INT64_MAX; /* 0 is live here, but the name of none */
	return true;
}

int
versions_pointer(struct backend *b, struct cache *cache, const char *model, const char *name, struct pointer *out,
    bool *found, struct err *e)
{
	*found = cache_get_pointer(cache, model, name, out);
	if (*found)
		return 0;
	if (b->ops->load_pointer(b, model, name, out, found, e) < 0)
		return -1;
	if (*found)
		cache_put_pointer(cache, model, name, *out);
	return 0;
}

int
versions_resolve(struct backend *b, struct cache *cache, const char *model, const struct store_which *which,
    uint64_t *version, struct err *e)
{
	const bool named = which->kind == STORE_NAMED;
	struct pointer p;
	bool found;

	*version = 0;
	if (which->kind == STORE_LIVE || (named && store_name_number(which->name, version)))
		return 0;
	if (versions_pointer(b, cache, model, named ? which->name : "", &p, &found, e) < 0)
		return -1;
	if (found) {
		*version = p.number;
		return 0;
	}
	if (backend_need_model(b, model, e) < 0)
		return -1;
	return named ? backend_refuse_alias(model, which->name, e) : 0;
}

int
versions_find_named(struct backend *b, const char *model, const char *name, uint64_t *number, struct err *e)
{
	struct pointer alias;
	bool found;

	if (!store_name_number(name, number)) {
		if (b->ops->load_pointer(b, model, name, &alias, &found, e) < 0)
			return -1;
		*number = alias.number;
		return found ? 0 : backend_refuse_alias(model, name, e);
	}
	if (*number == 0)
		return 0;
	if (b->ops->version_exists(b, model, *number, &found, e) < 0)
		return -1;
	return found ? 0 : backend_refuse_version(model, name, e);
}

int
versions_refuse_empty(const char *model, struct err *e)
{
	return err_fail(e, ERR_NO_SUCH_LAYER, "model \"%s\" has no layers", model);
}

/* The error for a version, or a pin, that was not found. A number is shown as it was given. */
static int
refuse_number(struct backend *b, const struct model_at *at, const struct store_which *which, struct err *e)
{
	uint64_t ignored;
	char number[32];

	if (backend_need_model(b, at->model, e) < 0)
		return -1;
	if (at->pin != 0)
		return err_fail(e, ERR_NO_SUCH_MODEL, "model \"%s\" was deleted while its states were read", at->model);
	if (which->kind == STORE_NAMED && store_name_number(which->name, &ignored))
		return backend_refuse_version(at->model, which->name, e);
	snprintf(number, sizeof(number), "%" PRIu64, at->version);
	return backend_refuse_version(at->model, number, e);
}

static int
find_at(struct backend *b, struct model_at *at, const struct store_which *which, struct err *e)
{
	bool found;

	if (b->ops->find_at(b, at, &found, e) < 0)
		return -1;
	return found ? 0 : refuse_number(b, at, which, e);
}

/* Loads a row that is found. */
static int
load_row(struct backend *b, struct cache *cache, const struct model_at *at, struct state_row *row,
    struct budget_share *memory, const struct snapshot **out, struct err *e)
{
	const struct snapshot *live = cache_get(cache, at->model, row->name, 0);
	int result;

	row->live = live != NULL ? live->identity : NULL;
	result = b->ops->load_row(b, at, row, memory, out, e);
	snapshot_unref(live);
	return result;
}

int
versions_layer(struct backend *b, struct cache *cache, const struct store_get *get, uint64_t version,
    const struct snapshot **out, struct err *e)
{
	struct model_at at = { .model = get->model, .version = version };
	struct state_row row;
	bool found;

	*out = cache_get(cache, get->model, get->layer, version);
	if (*out != NULL)
		return 0;
	if (find_at(b, &at, &get->which, e) < 0 || b->ops->find_row(b, &at, get->layer, &row, &found, e) < 0)
		return -1;
	if (found)
		*out = cache_get_any(cache, get->model, get->layer, version); /* no number comes back: it is the same */
	if (*out != NULL) {
		cache_put(cache, *out);
		return 0;
	}
	if (!found)
		return err_fail(e, ERR_NO_SUCH_LAYER, "version %" PRIu64 " of model \"%s\" has no layer \"%s\"",
		    version, get->model, get->layer);
	if (load_row(b, cache, &at, &row, get->memory, out, e) < 0)
		return -1;
	cache_put(cache, *out);
	return 0;
}

/*
 * A state of a pin that has not moved on is the live one, and like that in the cache. One that has moved on is not put
 * there: it has no version's number.
 */
static int
load_state(struct backend *b, struct cache *cache, const struct model_at *at, struct state_row *row,
    struct budget_share *memory, const struct snapshot **out, struct err *e)
{
	const bool cached = at->pin == 0 || !row->kept;

	*out = cached ? cache_get(cache, at->model, row->name, at->version) : NULL;
	if (*out != NULL)
		return 0;
	if (load_row(b, cache, at, row, memory, out, e) < 0)
		return -1;
	if (cached)
		cache_put(cache, *out);
	return 0;
}

static int
load_page(struct backend *b, struct cache *cache, const struct model_at *at, struct store_states *list, struct err *e)
{
	struct state_row row;
	size_t bytes = 0;

	snprintf(row.name, sizeof(row.name), "%s", list->after != NULL ? list->after : "");
	do {
		if (b->ops->next_row(b, at, row.name, &row, &list->more, e) < 0)
			return -1;
		if (!list->more || list->count == list->limit || (list->count > 0 && bytes + row.bytes > PAGE_BYTES))
			return 0;
		if (load_state(b, cache, at, &row, list->memory, &list->entries[list->count], e) < 0)
			return -1;
		list->count++;
		bytes += row.bytes;
	} while (true);
}

int
versions_states(struct backend *b, struct cache *cache, struct store_states *list, struct err *e)
{
	struct model_at at = { .model = list->model };

	if (list->which.kind == STORE_PINNED)
		at.pin = list->which.pin;
	else if (versions_resolve(b, cache, list->model, &list->which, &at.version, e) < 0)
		return -1;
	if (find_at(b, &at, &list->which, e) < 0)
		return -1;
	list->entries = calloc(list->limit, sizeof(struct snapshot *));
	if (list->entries == NULL)
		return err_fail_memory(e);
	if (load_page(b, cache, &at, list, e) < 0)
		return -1;
	return list->count > 0 || list->after != NULL || list->may_be_empty ? 0 : versions_refuse_empty(list->model, e);
}

int
versions_list(struct backend *b, struct store_versions *list, struct err *e)
{
	uint64_t number = 0;

	if (backend_need_model(b, list->model, e) < 0)
		return -1;
	if (list->name != NULL) {
		if (versions_find_named(b, list->model, list->name, &number, e) < 0)
			return -1;
		if (number == 0)
			return backend_refuse_version(list->model, list->name, e);
	}
	return b->ops->list_versions(b, number, list, e);
}

static int
find_alias(struct backend *b, struct store_aliases *list, struct err *e)
{
	struct pointer p;
	bool found;

	if (b->ops->load_pointer(b, list->model, list->name, &p, &found, e) < 0)
		return -1;
	if (!found)
		return backend_refuse_alias(list->model, list->name, e);
	list->entries = calloc(1, sizeof(*list->entries));
	if (list->entries == NULL)
		return err_fail_memory(e);
	list->count = 1;
	list->entries->number = p.number;
	memcpy(list->entries->name, list->name, strnlen(list->name, STORE_NAME_MAX));
	return 0;
}

int
versions_list_aliases(struct backend *b, struct store_aliases *list, struct err *e)
{
	if (backend_need_model(b, list->model, e) < 0)
		return -1;
	return list->name != NULL ? find_alias(b, list, e) : b->ops->list_aliases(b, list, e);
}
