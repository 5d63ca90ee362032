/* SPDX-License-Identifier: MIT */
/* The sources of a layer that the store should hold: a few names, and the part without one. */
#pragma once

#include <stdbool.h>

#include "storage/store.h"

#define WORLD_SOURCES 3
#define WORLD_POOLED_FEATURES_MAX 150

struct world_source {
	bool exists;
	uint64_t count;
	double mean[WORLD_POOLED_FEATURES_MAX];
	double var[WORLD_POOLED_FEATURES_MAX];
};

struct world_sources {
	struct world_source part;
	struct world_source named[WORLD_SOURCES];
};

const char *world_source_name(size_t i);

/* A source, or the part, after an update or new totals. */
enum err_code world_source_update(struct world_source *source, const struct update *u, unsigned ddof);
enum err_code world_source_put(struct world_source *source, const struct update *u);

enum err_code world_source_delete(struct world_source *source);

/* One source goes to the part, and with `two` the next one after it. */
enum err_code world_sources_fold(struct world_sources *sources, size_t first, bool two, size_t features, unsigned ddof);

/* What the layer's statistics are by its sources: sets count and the lists of `out`; NULL where there are none. */
void world_sources_pool(const struct world_sources *sources, size_t features, unsigned ddof, struct statistics *out);

size_t world_sources_count(const struct world_sources *sources);

/* Whether a page of all of them is as expected, to the bit. */
bool world_sources_equal(const struct world_sources *sources, size_t features, const struct store_sources *page);
