/* SPDX-License-Identifier: MIT */
#include "tests/disk/world_sources.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sources.h"

static const char *const names[WORLD_SOURCES] = { "worker", "another", "x" };

const char *
world_source_name(size_t i)
{
	return names[i];
}

enum err_code
world_source_update(struct world_source *source, const struct update *u, unsigned ddof)
{
	struct world_source next = { .exists = true };
	struct update own = *u;
	struct statistics in = { u->features, 0, source->count, source->mean, source->var, 0 };
	struct statistics out = { u->features, 0, 0, next.mean, next.var, 0 };

	if (!source->exists)
		*source = (struct world_source){ 0 };
	in.count = source->count;
	own.ddof = ddof;
	if (update_apply(&in, &own, &out) != UPDATE_APPLIED)
		return ERR_NON_FINITE_INPUT;
	next.count = out.count;
	*source = next;
	return ERR_NONE;
}

enum err_code
world_source_put(struct world_source *source, const struct update *u)
{
	if (source->exists && source->count > u->count)
		return ERR_SOURCE_WENT_BACK;
	for (size_t f = 0; f < u->features; f++)
		if (!isfinite(u->mean[f]))
			return ERR_NON_FINITE_INPUT;
	source->exists = true;
	source->count = u->count;
	memcpy(source->mean, u->mean, u->features * sizeof(double));
	memcpy(source->var, u->var, u->features * sizeof(double));
	return ERR_NONE;
}

enum err_code
world_source_delete(struct world_source *source)
{
	if (!source->exists)
		return ERR_NO_SUCH_SOURCE;
	source->exists = false;
	return ERR_NONE;
}

enum err_code
world_sources_fold(struct world_sources *sources, size_t first, bool two, size_t features, unsigned ddof)
{
	enum err_code code = ERR_NONE;

	for (size_t i = 0; i < 1 + (size_t)two && code == ERR_NONE; i++) {
		struct world_source *source = &sources->named[(first + i) % WORLD_SOURCES];
		const struct update u = { .averaging = AVERAGING_POOLED,
			.count = source->count,
			.features = features,
			.mean = source->mean,
			.var = source->var };

		code = world_source_delete(source);
		if (code == ERR_NONE)
			code = world_source_update(&sources->part, &u, ddof);
	}
	return code;
}

static void
load(struct sources *t, const char *name, const struct world_source *source)
{
	struct source *loaded = source->exists ? source_new(t->features, name, 0) : NULL;

	if (loaded == NULL)
		return;
	loaded->own.count = source->count;
	memcpy(loaded->own.mean, source->mean, t->features * sizeof(double));
	memcpy(loaded->own.var, source->var, t->features * sizeof(double));
	sources_load(t, loaded);
}

void
world_sources_pool(const struct world_sources *sources, size_t features, unsigned ddof, struct statistics *out)
{
	struct sources *t = sources_new(features);

	if (t == NULL)
		abort();
	load(t, "", &sources->part);
	for (size_t i = 0; i < WORLD_SOURCES; i++)
		load(t, names[i], &sources->named[i]);
	if (sources_pool_all(t) != UPDATE_APPLIED || sources_statistics(t, ddof, out) != UPDATE_APPLIED)
		abort();
	sources_free(t);
}

size_t
world_sources_count(const struct world_sources *sources)
{
	size_t count = 0;

	for (size_t i = 0; i < WORLD_SOURCES; i++)
		count += sources->named[i].exists;
	return count;
}

bool
world_sources_equal(const struct world_sources *sources, size_t features, const struct store_sources *page)
{
	const size_t bytes = features * sizeof(double);

	if (page->count != world_sources_count(sources) || page->more)
		return false;
	for (size_t k = 0; k < page->count; k++) {
		const struct store_source *entry = &page->entries[k];
		const struct world_source *expected = NULL;

		for (size_t i = 0; i < WORLD_SOURCES; i++)
			if (strcmp(entry->name, names[i]) == 0)
				expected = &sources->named[i];
		if (expected == NULL || !expected->exists || expected->count != entry->totals.count ||
		    memcmp(expected->mean, entry->totals.mean, bytes) != 0 ||
		    memcmp(expected->var, entry->totals.var, bytes) != 0)
			return false;
	}
	return true;
}
