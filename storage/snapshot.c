/* SPDX-License-Identifier: MIT */
/*
 * A snapshot is one block of memory: the struct, then its arrays. It is shared between the event loops and the store's
 * thread, and nobody writes to it after it was made, so a count of references is all the synchronization there is. Only
 * the digest comes later: the first thread that has computed it writes it, and no other reads it before.
 */
#include "storage/snapshot.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/spare_memory.h"
#include "storage/window.h"

struct identity_block {
	struct layer_identity identity; /* first: the outside sees only this */
	atomic_uint references;
	void (*free_parsed)(const void *parsed);
	struct window window;
	char definition[];
};

enum digest_state { DIGEST_NONE, DIGEST_BEING_SET, DIGEST_SET };

struct snapshot_block {
	struct snapshot layer; /* first, as above */
	atomic_uint references;
	_Atomic(enum digest_state) digest_state;
	unsigned char digest[SHA256_BYTES];
	size_t bytes;
	double values[];
};

static struct identity_block *
identity_block(const struct layer_identity *identity)
{
	return (struct identity_block *)(uintptr_t)identity;
}

static struct snapshot_block *
snapshot_block(const struct snapshot *layer)
{
	return (struct snapshot_block *)(uintptr_t)layer;
}

struct layer_identity *
layer_identity_new(int64_t id, const char *model, const char *name, const char *definition,
    const struct identity_common *common, struct err *e)
{
	size_t len = strlen(definition);
	struct identity_block *b = calloc(1, sizeof(*b) + len + 1);

	if (b == NULL) {
		err_set_memory(e);
		return NULL;
	}
	memcpy(b->definition, definition, len + 1);
	memcpy(b->identity.model, model, strnlen(model, STORE_NAME_MAX));
	memcpy(b->identity.name, name, strnlen(name, STORE_NAME_MAX));
	b->identity.id = id;
	b->identity.definition = b->definition;
	b->identity.parsed = common->definitions.parse(b->definition, e);
	b->free_parsed = common->definitions.free;
	atomic_init(&b->references, 1);
	if (b->identity.parsed == NULL) {
		free(b);
		return NULL;
	}
	window_init(&b->window, common->windows);
	return &b->identity;
}

const struct layer_identity *
layer_identity_ref(const struct layer_identity *identity)
{
	atomic_fetch_add_explicit(&identity_block(identity)->references, 1, memory_order_relaxed);
	return identity;
}

void
layer_identity_unref(const struct layer_identity *identity)
{
	struct identity_block *b = identity_block(identity);

	if (b == NULL || atomic_fetch_sub_explicit(&b->references, 1, memory_order_acq_rel) != 1)
		return;
	window_fini(&b->window);
	b->free_parsed(b->identity.parsed);
	free(b);
}

size_t
layer_identity_bytes(const struct layer_identity *identity)
{
	return sizeof(struct identity_block) + strlen(identity->definition);
}

void
store_window_add(const struct snapshot *state, const struct moments *m)
{
	window_add(&identity_block(state->identity)->window, state->identity, state->statistics.features, m);
}

/* Copies `n` doubles to *next and moves it on; NULL stays NULL. */
static double *
copy_values(double **next, const double *values, size_t n)
{
	double *copy = *next;

	if (values == NULL)
		return NULL;
	memcpy(copy, values, n * sizeof(*values));
	*next += n;
	return copy;
}

size_t
store_snapshot_bytes(const struct snapshot *s)
{
	return ((s->statistics.mean != NULL ? 2 * s->statistics.features : 0) +
		   (s->weight.values != NULL ? s->weight.count : 0) + (s->bias.values != NULL ? s->bias.count : 0)) *
	    sizeof(double);
}

const struct snapshot *
snapshot_new(const struct snapshot *given)
{
	const size_t features = given->statistics.features;
	const size_t bytes = sizeof(struct snapshot_block) + store_snapshot_bytes(given);
	struct snapshot_block *b;
	double *next;

	spare_memory_look(bytes);
	b = malloc(bytes);
	if (b == NULL)
		return NULL;
	next = b->values;
	(void)layer_identity_ref(given->identity);
	b->layer = *given;
	b->layer.statistics.mean = copy_values(&next, given->statistics.mean, features);
	b->layer.statistics.var = copy_values(&next, given->statistics.var, features);
	b->layer.weight.values = copy_values(&next, given->weight.values, given->weight.count);
	b->layer.bias.values = copy_values(&next, given->bias.values, given->bias.count);
	b->bytes = bytes;
	atomic_init(&b->digest_state, DIGEST_NONE);
	atomic_init(&b->references, 1);
	return &b->layer;
}

const struct snapshot *
snapshot_ref(const struct snapshot *layer)
{
	atomic_fetch_add_explicit(&snapshot_block(layer)->references, 1, memory_order_relaxed);
	return layer;
}

void
snapshot_unref(const struct snapshot *layer)
{
	struct snapshot_block *b = snapshot_block(layer);

	if (b == NULL || atomic_fetch_sub_explicit(&b->references, 1, memory_order_acq_rel) != 1)
		return;
	layer_identity_unref(b->layer.identity);
	free(b);
}

bool
snapshot_digest_get(const struct snapshot *layer, unsigned char out[SHA256_BYTES])
{
	struct snapshot_block *b = snapshot_block(layer);

	if (atomic_load_explicit(&b->digest_state, memory_order_acquire) != DIGEST_SET)
		return false;
	memcpy(out, b->digest, SHA256_BYTES);
	return true;
}

void
snapshot_digest_set(const struct snapshot *layer, const unsigned char digest[SHA256_BYTES])
{
	struct snapshot_block *b = snapshot_block(layer);
	enum digest_state none = DIGEST_NONE;

	if (!atomic_compare_exchange_strong_explicit(
		&b->digest_state, &none, DIGEST_BEING_SET, memory_order_relaxed, memory_order_relaxed))
		return;
	memcpy(b->digest, digest, SHA256_BYTES);
	atomic_store_explicit(&b->digest_state, DIGEST_SET, memory_order_release);
}

int
snapshot_check_lists(const struct statistics *s, size_t mean_count, size_t var_count, const char *model,
    const char *layer, struct err *e)
{
	if ((s->mean == NULL || mean_count == s->features) && (s->var == NULL || var_count == s->features) &&
	    (s->mean == NULL) == (s->var == NULL))
		return 0;
	return err_fail(e, ERR_STORAGE_UNAVAILABLE, "the stored statistics of layer \"%s\" of model \"%s\" are damaged",
	    layer, model);
}

size_t
snapshot_bytes(const struct snapshot *layer)
{
	return snapshot_block(layer)->bytes + layer_identity_bytes(layer->identity);
}
