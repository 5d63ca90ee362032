/* SPDX-License-Identifier: MIT */
#include "storage/versions.h"

#include <stdlib.h>
#include <string.h>

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
