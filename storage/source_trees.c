/* SPDX-License-Identifier: MIT */
#include "storage/source_trees.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((size_t)1 << 20)

void
source_trees_init(struct source_trees *t, struct cache *cache, size_t bytes_max)
{
	memset(t, 0, sizeof(*t));
	t->cache = cache;
	t->bytes_max = bytes_max;
}

static struct source_tree **
bucket_of(struct source_trees *t, int64_t layer_id)
{
	return &t->buckets[(uint64_t)layer_id % SOURCE_TREES_BUCKETS];
}

static struct source_tree *
find(struct source_trees *t, int64_t layer_id)
{
	struct source_tree *tree = *bucket_of(t, layer_id);

	while (tree != NULL && tree->layer_id != layer_id)
		tree = tree->chain;
	return tree;
}

static void
unlink_use(struct source_trees *t, struct source_tree *tree)
{
	*(tree->newer != NULL ? &tree->newer->older : &t->newest) = tree->older;
	*(tree->older != NULL ? &tree->older->newer : &t->oldest) = tree->newer;
}

static void
link_newest(struct source_trees *t, struct source_tree *tree)
{
	tree->newer = NULL;
	tree->older = t->newest;
	*(t->newest != NULL ? &t->newest->newer : &t->oldest) = tree;
	t->newest = tree;
	tree->used_in = t->batch;
}

/* Counts `bytes` for a tree. */
static void
count_bytes(struct source_trees *t, struct source_tree *tree, size_t bytes)
{
	if (bytes == tree->bytes)
		return;
	cache_lend(t->cache, tree->bytes, bytes);
	t->bytes += bytes - tree->bytes;
	tree->bytes = bytes;
}

static void
drop(struct source_trees *t, struct source_tree *tree)
{
	struct source_tree **link = bucket_of(t, tree->layer_id);

	while (*link != tree)
		link = &(*link)->chain;
	*link = tree->chain;
	unlink_use(t, tree);
	count_bytes(t, tree, 0);
	sources_free(tree->sources);
	free(tree);
}

void
source_trees_fini(struct source_trees *t)
{
	while (t->newest != NULL)
		drop(t, t->newest);
}

void
source_trees_begin(struct source_trees *t)
{
	t->batch++;
}

/* What a tree of so many sources takes, with the part without one. */
static size_t
tree_bytes(size_t features, size_t count)
{
	return sizeof(struct source_tree) + sources_bytes(features) + (count + 1) * source_bytes(features);
}

static bool
fits(const struct source_trees *t, size_t features, size_t count)
{
	return tree_bytes(features, count) <= t->bytes_max;
}

/* `advice`: what the client or the operator can do. */
static int
refuse_size(const struct source_trees *t, size_t features, size_t count, const char *advice, struct err *e)
{
	return err_fail(e, ERR_TOO_MANY_SOURCES,
	    "%zu source%s of %zu feature%s need %zu MiB, and this daemon has room for %zu MiB: %s", count,
	    err_plural(count), features, err_plural(features), tree_bytes(features, count) / MIB + 1,
	    t->bytes_max / MIB, advice);
}

/* Drops others until `tree`, or a new one if it is NULL, has room for `count` sources, which fit. */
static void
make_room(struct source_trees *t, struct source_tree *tree, size_t features, size_t count)
{
	const size_t more = tree_bytes(features, count) - (tree != NULL ? tree->bytes : 0);
	struct source_tree *oldest;

	while ((oldest = t->oldest) != NULL && oldest != tree && t->bytes + more > t->bytes_max)
		drop(t, oldest);
}

/* An empty tree, in the table. NULL without memory. */
static struct source_tree *
add(struct source_trees *t, const struct layer_identity *identity, uint64_t revision, size_t features)
{
	struct source_tree *tree = calloc(1, sizeof(*tree));

	if (tree == NULL)
		return NULL;
	tree->sources = sources_new(features);
	if (tree->sources == NULL) {
		free(tree);
		return NULL;
	}
	tree->layer_id = identity->id;
	memcpy(tree->model, identity->model, sizeof(tree->model));
	tree->revision = revision;
	tree->chain = *bucket_of(t, identity->id);
	*bucket_of(t, identity->id) = tree;
	link_newest(t, tree);
	return tree;
}

/* The rows of a layer that has sources. */
static int
load(struct source_tree *tree, struct backend *b, const struct snapshot *now, struct err *e)
{
	if (now->sources == 0)
		return 0;
	if (b->ops->load_sources(b, now->identity, tree->sources, e) < 0)
		return -1;
	if (tree->sources->count == now->sources && sources_pool_all(tree->sources) == UPDATE_APPLIED)
		return 0;
	return err_fail(e, ERR_STORAGE_UNAVAILABLE, "the stored sources of layer \"%s\" of model \"%s\" are damaged",
	    now->identity->name, now->identity->model);
}

struct source_tree *
source_trees_get(struct source_trees *t, struct backend *b, const struct snapshot *now, size_t features, struct err *e)
{
	struct source_tree *tree = find(t, now->identity->id);

	if (tree != NULL && b->shared && tree->revision != now->revision) {
		drop(t, tree);
		tree = NULL;
	}
	if (tree != NULL) {
		assert(tree->sources->count == now->sources && tree->sources->features == features);
		unlink_use(t, tree);
		link_newest(t, tree);
		return tree;
	}
	/* They were stored while there was more memory. Folding or deleting some would need the tree too. */
	if (!fits(t, features, now->sources)) {
		(void)refuse_size(t, features, now->sources,
		    "start normd with more --max-memory, as it had; or forget the sources by PUT or DELETE "
		    ".../statistics",
		    e);
		return NULL;
	}
	make_room(t, NULL, features, now->sources);
	tree = add(t, now->identity, now->revision, features);
	if (tree == NULL) {
		err_set_memory(e);
		return NULL;
	}
	count_bytes(t, tree, tree_bytes(features, now->sources)); /* first: the cache makes room for what is loaded */
	if (load(tree, b, now, e) < 0) {
		drop(t, tree);
		return NULL;
	}
	return tree;
}

int
source_trees_make_room(struct source_trees *t, struct source_tree *tree, struct err *e)
{
	const size_t features = tree->sources->features, count = tree->sources->count + 1;

	if (!fits(t, features, count))
		return refuse_size(
		    t, features, count, "fold those that are finished, or start normd with more --max-memory", e);
	make_room(t, tree, features, count);
	return 0;
}

void
source_trees_settle(struct source_trees *t, struct source_tree *tree)
{
	if (tree->sources->count == 0)
		drop(t, tree);
	else
		count_bytes(t, tree, tree_bytes(tree->sources->features, tree->sources->count));
}

void
source_trees_drop(struct source_trees *t, int64_t layer_id)
{
	struct source_tree *tree = find(t, layer_id);

	if (tree != NULL)
		drop(t, tree);
}

/* Looks at every tree: deleting a model is rare. */
void
source_trees_drop_model(struct source_trees *t, const char *model)
{
	struct source_tree *older;

	for (struct source_tree *tree = t->newest; tree != NULL; tree = older) {
		older = tree->older;
		if (strcmp(tree->model, model) == 0)
			drop(t, tree);
	}
}

void
source_trees_drop_used(struct source_trees *t)
{
	struct source_tree *older;

	for (struct source_tree *tree = t->newest; tree != NULL && tree->used_in == t->batch; tree = older) {
		older = tree->older;
		drop(t, tree);
	}
}
