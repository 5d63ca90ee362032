/* SPDX-License-Identifier: MIT */
#include "storage/batch.h"

#include <string.h>

#include "storage/history.h"
#include "storage/snapshot.h"
#include "storage/names.h"

int
batch_init(struct batch *b, size_t write_count, struct backend *backend, struct cache *cache,
    const struct identity_common *identities, struct err *e)
{
	memset(b, 0, sizeof(*b));
	b->backend = backend;
	b->cache = cache;
	b->identities = identities;
	b->last = &b->first;
	arena_init(&b->arena, SIZE_MAX);
	for (b->bucket_count = 8; b->bucket_count < write_count; b->bucket_count *= 2)
		;
	b->buckets = arena_array(&b->arena, b->bucket_count, sizeof(struct working *));
	b->stale_models = arena_array(&b->arena, write_count, sizeof(char *));
	b->pointers = arena_array(&b->arena, write_count, sizeof(*b->pointers));
	return b->buckets == NULL || b->stale_models == NULL || b->pointers == NULL ? err_fail_memory(e) : 0;
}

void
batch_fini(struct batch *b)
{
	for (struct working *w = b->first; w != NULL; w = w->next) {
		snapshot_unref(w->base);
		snapshot_unref(w->next_layer);
	}
	plan_fini(&b->plan);
	arena_fini(&b->arena);
}

static bool
model_stale(const struct batch *b, const char *model)
{
	for (size_t i = 0; i < b->stale_count; i++)
		if (strcmp(b->stale_models[i], model) == 0)
			return true;
	return false;
}

static void
working_load(struct working *w, const struct snapshot *base)
{
	w->base = base;
	w->exists = base != NULL;
	if (base != NULL)
		w->now = *base;
}

struct working *
batch_layer(struct batch *b, const char *model, const char *layer, struct err *e)
{
	struct working **bucket = &b->buckets[names_hash(0, model, layer) & (b->bucket_count - 1)];
	const struct snapshot *base = NULL;
	struct working *w;

	for (w = *bucket; w != NULL; w = w->chain)
		if (names_equal(w->model, w->name, model, layer))
			return w;
	w = arena_alloc(&b->arena, sizeof(*w));
	if (w == NULL) {
		err_set_memory(e);
		return NULL;
	}
	if (!b->backend->shared && !model_stale(b, model))
		base = cache_get(b->cache, model, layer, 0);
	if (base == NULL && b->backend->ops->load(b->backend, model, layer, NULL, &base, e) < 0)
		return NULL;
	memcpy(w->model, model, strnlen(model, STORE_NAME_MAX));
	memcpy(w->name, layer, strnlen(layer, STORE_NAME_MAX));
	working_load(w, base);
	w->chain = *bucket;
	*bucket = w;
	*b->last = w;
	b->last = &w->next;
	return w;
}

void
working_created(struct working *w, const struct snapshot *base)
{
	snapshot_unref(w->base);
	working_load(w, base);
	w->spare = (struct statistics){ 0 };
	w->raised_by = NULL;
}

void
working_deleted(struct working *w)
{
	snapshot_unref(w->base);
	w->base = NULL;
	w->exists = false;
	w->dirty = false;
	w->parameters_dirty = false;
}

void
batch_drop_model(struct batch *b, const char *model)
{
	for (struct working *w = b->first; w != NULL; w = w->next)
		if (strcmp(w->model, model) == 0)
			working_deleted(w);
	b->stale_models[b->stale_count++] = model;
}

void
batch_freeze_model(struct batch *b, const struct model_freeze *freeze)
{
	for (struct working *w = b->first; w != NULL; w = w->next)
		if (w->exists && strcmp(w->model, freeze->model) == 0 && w->now.frozen != freeze->frozen) {
			w->now.frozen = freeze->frozen;
			w->now.revision++; /* as the database has, whatever else the change does */
			w->stale = true;
		}
	b->stale_models[b->stale_count++] = freeze->model;
}

void
batch_note_pointer(struct batch *b, const char *model, const char *name)
{
	b->pointers[b->pointer_count++] = (struct batch_pointer){ .model = model, .name = name };
}

int
batch_drop_version(struct batch *b, const char *model, uint64_t number, struct err *e)
{
	struct dropped_version *d = arena_alloc(&b->arena, sizeof(*d));

	if (d == NULL) {
		b->broken = true; /* it is deleted in the database already */
		return err_fail_memory(e);
	}
	*d = (struct dropped_version){ model, number, b->dropped_versions };
	b->dropped_versions = d;
	b->chores_go_on = true;
	return 0;
}

int
batch_note_switch(struct batch *b, const char *model, struct err *e)
{
	struct switched_model *s = arena_alloc(&b->arena, sizeof(*s));

	if (s == NULL) {
		b->broken = true; /* the switch is in the database already */
		return err_fail_memory(e);
	}
	*s = (struct switched_model){ model, b->switched_models };
	b->switched_models = s;
	return 0;
}

static bool
is_noted(const struct batch *b, const char *model)
{
	for (size_t i = 0; i < b->pointer_count; i++)
		if (*b->pointers[i].name == '\0' && strcmp(b->pointers[i].model, model) == 0)
			return true;
	return false;
}

/* From the cache, unless this batch or somebody else may have changed it: it must never be too small. */
int
batch_mark(struct batch *b, const char *model, uint64_t *mark, struct err *e)
{
	const bool noted = is_noted(b, model);
	struct pointer p = { 0 };
	bool found = true;

	if (b->backend->shared || noted || model_stale(b, model) || !cache_get_pointer(b->cache, model, "", &p)) {
		if (b->backend->ops->load_pointer(b->backend, model, "", &p, &found, e) < 0)
			return -1;
		if (found && !noted)
			batch_note_pointer(b, model, "");
	}
	*mark = p.mark;
	return 0;
}

int
batch_keep_state(struct batch *b, struct working *w, struct err *e)
{
	uint64_t mark;

	if (batch_mark(b, w->model, &mark, e) < 0)
		return -1;
	if (w->now.since > mark)
		return 0;
	w->now.since = mark + 1;
	return batch_wrote(b, b->backend->ops->keep(b->backend, w->base->identity, mark, e));
}

bool
batch_has_layer(const struct working *w, const struct store_write *write)
{
	return w->exists && (write->layer_id == 0 || write->layer_id == w->base->identity->id);
}

int
batch_keep(struct batch *b, struct working *w, struct err *e)
{
	struct working *kept;

	if (!b->may_go_back || w->kept != NULL)
		return 0;
	kept = arena_alloc(&b->arena, sizeof(*kept));
	if (kept == NULL)
		return err_fail_memory(e);
	*kept = *w;
	if (kept->base != NULL)
		(void)snapshot_ref(kept->base);
	w->kept = kept;
	w->next_kept = b->kept;
	b->kept = w;
	return 0;
}

int
batch_keep_model(struct batch *b, const char *model, struct err *e)
{
	for (struct working *w = b->first; w != NULL; w = w->next)
		if (strcmp(w->model, model) == 0 && batch_keep(b, w, e) < 0)
			return -1;
	return 0;
}

void
batch_end_change(struct batch *b, bool go_back)
{
	struct working *w, *kept;

	for (w = b->kept; w != NULL; w = w->next_kept) {
		kept = w->kept;
		w->kept = NULL;
		snapshot_unref(go_back ? w->base : kept->base);
		if (go_back) {
			kept->next_kept = w->next_kept;
			*w = *kept;
		}
	}
	b->kept = NULL;
	if (go_back)
		b->stale_count = b->stale_before;
	b->stale_before = b->stale_count;
}

/* As the transaction has them by now: several changes, and the deletion of the model, may have had a part in it. */
static int
read_pointers(struct batch *b, struct err *e)
{
	for (size_t i = 0; i < b->pointer_count; i++) {
		struct batch_pointer *p = &b->pointers[i];

		if (b->backend->ops->load_pointer(b->backend, p->model, p->name, &p->pointer, &p->found, e) < 0)
			return -1;
	}
	return 0;
}

int
batch_save(struct batch *b, struct err *e)
{
	for (struct working *w = b->first; w != NULL; w = w->next) {
		if (!w->dirty)
			continue;
		if (batch_keep_state(b, w, e) < 0)
			return -1;
		w->now.changed_s = b->now_s;
		w->next_layer = snapshot_new(&w->now);
		if (w->next_layer == NULL)
			return err_fail_memory(e);
		if (history_record(b, w->base, e) < 0 ||
		    b->backend->ops->save(b->backend, w->next_layer, w->parameters_dirty, e) < 0)
			return -1;
	}
	return read_pointers(b, e);
}

static void
publish_pointers(struct batch *b)
{
	for (size_t i = 0; i < b->pointer_count; i++) {
		const struct batch_pointer *p = &b->pointers[i];

		if (p->found)
			cache_put_pointer(b->cache, p->model, p->name, p->pointer);
		else
			cache_drop_pointer(b->cache, p->model, p->name);
	}
}

static void
publish_layers(struct batch *b)
{
	for (size_t i = 0; i < b->stale_count; i++)
		cache_drop_model(b->cache, b->stale_models[i]); /* with its pointers: the next reader loads them */
	for (struct working *w = b->first; w != NULL; w = w->next) {
		if (w->next_layer != NULL)
			cache_put(b->cache, w->next_layer);
		else if (w->exists && !w->stale)
			cache_put(b->cache, w->base);
		else
			cache_drop(b->cache, w->model, w->name);
	}
}

/* What came between the write and the commit belongs to the window that has ended. */
static void
clear_windows(struct batch *b)
{
	for (const struct switched_model *s = b->switched_models; s != NULL; s = s->next)
		windows_clear_model(b->windows, s->model);
	for (const struct working *w = b->first; w != NULL; w = w->next)
		if (w->window_reset && w->exists)
			windows_clear(b->windows, w->base->identity->id);
}

void
batch_publish(struct batch *b)
{
	/* Nobody may see half of a change. Without changes of several writes, readers wait for one layer alone. */
	if (b->several)
		cache_publish_begin(b->cache);
	publish_layers(b);
	if (b->several)
		cache_publish_end(b->cache);
	clear_windows(b);
	for (const struct dropped_version *d = b->dropped_versions; d != NULL; d = d->next)
		cache_drop_version(b->cache, d->model, d->number);
	publish_pointers(b);
}
