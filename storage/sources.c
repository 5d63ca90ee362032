/* SPDX-License-Identifier: MIT */
#include "storage/sources.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/spare_memory.h"

/* A path through the tree. It fails as a whole, but is always finished, so that the exchange can be taken back. */
struct path {
	struct sources *tree;
	const char *name;
	bool pools; /* false: the pools are computed later */
	enum update_result result;
};

size_t
source_bytes(size_t features)
{
	return sizeof(struct source) + 4 * features * sizeof(double);
}

size_t
sources_bytes(size_t features)
{
	return sizeof(struct sources) + 2 * features * sizeof(double);
}

/* Changing this changes the pools' bits: stored ones would no longer be those that their sources give. */
static uint64_t
priority_of(const char *name)
{
	return hash_mix(hash_text(HASH_START, name));
}

static bool
is_above(const struct source *a, const struct source *b)
{
	return a->priority != b->priority ? a->priority > b->priority : strcmp(a->name, b->name) < 0;
}

struct source *
source_new(size_t features, const char *name, int64_t time_s)
{
	struct source *s;

	spare_memory_look(source_bytes(features));
	s = calloc(1, source_bytes(features));
	if (s == NULL)
		return NULL;
	memcpy(s->name, name, strnlen(name, STORE_NAME_MAX));
	s->time_s = time_s;
	s->priority = priority_of(s->name);
	s->own = (struct statistics){ .features = features, .mean = s->values, .var = s->values + features };
	return s;
}

void
source_free(struct source *source)
{
	free(source);
}

double *
source_spare(struct source *source)
{
	return source->values + 2 * source->own.features;
}

struct sources *
sources_new(size_t features)
{
	struct sources *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->features = features;
	t->scratch = calloc(2 * features + 1, sizeof(double));
	if (t->scratch != NULL)
		return t;
	free(t);
	return NULL;
}

/* Turns to the right until there is nothing on the left: as deep as the tree may be, no call within a call. */
static void
free_all(struct source *s)
{
	struct source *next;

	for (; s != NULL; s = next) {
		next = s->left;
		if (next != NULL) {
			s->left = next->right;
			next->right = s;
		} else {
			next = s->right;
			source_free(s);
		}
	}
}

void
sources_free(struct sources *t)
{
	if (t == NULL)
		return;
	free_all(t->root);
	source_free(t->part);
	free(t->scratch);
	free(t);
}

const struct source *
sources_find(const struct sources *t, const char *name)
{
	const struct source *s = t->root;
	int order = 1;

	if (*name == '\0')
		return t->part;
	while (s != NULL && (order = strcmp(name, s->name)) != 0)
		s = order < 0 ? s->left : s->right;
	return s;
}

/* Equation 29: `in`, whose variance has the divisor of `ddof`, and then `more`, whose variance is biased. */
static void
merge(struct path *p, const struct statistics *in, const struct statistics *more, unsigned ddof, struct statistics *out)
{
	const struct update u = { .averaging = AVERAGING_POOLED,
		.ddof = ddof,
		.count = more->count,
		.features = more->features,
		.mean = more->mean,
		.var = more->var };
	const enum update_result result = update_apply(in, &u, out);

	out->num_batches_tracked = 0;
	if (p->result == UPDATE_APPLIED)
		p->result = result;
}

/* The pool of a subtree: left, itself, right, but for those that count nothing. */
static void
pool(struct path *p, struct source *s)
{
	const struct statistics *const candidates[] = { s->left != NULL ? &s->left->pool : NULL, &s->own,
		s->right != NULL ? &s->right->pool : NULL };
	const size_t features = p->tree->features;
	const struct statistics *parts[3];
	double *const values = source_spare(s);
	struct statistics out = { .mean = values, .var = values + features };
	struct statistics first = { .mean = p->tree->scratch, .var = p->tree->scratch + features };
	size_t count = 0;

	if (!p->pools)
		return;
	for (size_t i = 0; i < 3; i++)
		if (candidates[i] != NULL && candidates[i]->count > 0)
			parts[count++] = candidates[i];
	if (count < 2) {
		s->pool = count == 0 ? s->own : *parts[0];
		return;
	}
	merge(p, parts[0], parts[1], 0, count == 2 ? &out : &first);
	if (count == 3)
		merge(p, &first, parts[2], 0, &out);
	s->pool = out;
}

/* Divides a subtree into what is before p->name and what is after it. */
static void
split(struct path *p, struct source *s, struct source **before, struct source **after)
{
	if (s == NULL) {
		*before = *after = NULL;
		return;
	}
	if (strcmp(s->name, p->name) < 0) {
		split(p, s->right, &s->right, after);
		*before = s;
	} else {
		split(p, s->left, before, &s->left);
		*after = s;
	}
	pool(p, s);
}

/* All of `before` is before all of `after`. */
static struct source *
join(struct path *p, struct source *before, struct source *after)
{
	if (before == NULL || after == NULL)
		return before == NULL ? after : before;
	if (is_above(before, after)) {
		before->right = join(p, before->right, after);
		pool(p, before);
		return before;
	}
	after->left = join(p, before, after->left);
	pool(p, after);
	return after;
}

/* Puts `source` where `here` is, which is of the same name or comes after it in the heap; `here` may be NULL. */
static void
put(struct path *p, struct source *here, struct source *source, bool same)
{
	if (same) {
		source->left = here->left;
		source->right = here->right;
	} else {
		split(p, here, &source->left, &source->right);
	}
	pool(p, source);
}

static void
exchange_below(struct path *p, struct source **at, struct source *source, struct source **old)
{
	struct source *here = *at;
	const int order = here == NULL ? 0 : strcmp(p->name, here->name);

	if (order != 0 && (source == NULL || !is_above(source, here))) {
		exchange_below(p, order < 0 ? &here->left : &here->right, source, old);
		pool(p, here);
		return;
	}
	*old = order == 0 ? here : NULL;
	*at = source;
	if (source != NULL)
		put(p, here, source, *old != NULL);
	else if (here != NULL)
		*at = join(p, here->left, here->right);
}

static void
exchange(struct path *p, struct source *source, struct source **old)
{
	struct sources *t = p->tree;

	if (*p->name == '\0') {
		*old = t->part;
		t->part = source;
		return;
	}
	exchange_below(p, &t->root, source, old);
	t->count += source != NULL;
	t->count -= *old != NULL;
}

enum update_result
sources_exchange(struct sources *t, const char *name, struct source *source, bool pools, struct source **old)
{
	struct path p = { .tree = t, .name = name, .pools = pools };

	exchange(&p, source, old);
	return p.result;
}

void
sources_load(struct sources *t, struct source *source)
{
	struct path p = { .tree = t, .name = source->name };
	struct source *old;

	exchange(&p, source, &old);
	source_free(old);
}

static void
pool_below(struct path *p, struct source *s)
{
	if (s == NULL)
		return;
	pool_below(p, s->left);
	pool_below(p, s->right);
	pool(p, s);
}

enum update_result
sources_pool_all(struct sources *t)
{
	struct path p = { .tree = t, .pools = true };

	pool_below(&p, t->root);
	return p.result;
}

enum update_result
sources_statistics(const struct sources *t, unsigned ddof, struct statistics *out)
{
	const struct statistics *named = t->root != NULL ? &t->root->pool : NULL;
	const struct statistics *part = t->part != NULL ? &t->part->own : NULL;
	struct path p = { 0 };
	struct statistics in;

	if (named == NULL || named->count == 0) {
		out->count = part != NULL ? part->count : 0;
		if (part == NULL) {
			out->mean = out->var = NULL;
			return UPDATE_APPLIED;
		}
		memcpy(out->mean, part->mean, t->features * sizeof(double));
		memcpy(out->var, part->var, t->features * sizeof(double));
		return UPDATE_APPLIED;
	}
	/* What counts nothing must not reach the result, not even as a difference of means that overflows. */
	in = part != NULL && part->count > 0 ? *part : *named;
	if (part == NULL || part->count == 0)
		in.count = 0;
	merge(&p, &in, named, ddof, out);
	return p.result;
}
