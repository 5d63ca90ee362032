/* SPDX-License-Identifier: MIT */
#include "sync/group.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* mean, var; in backward sum, product, and two more while they are pooled; in training the state takes these places. */
#define GROUP_ARRAYS (2 + SYNC_STATE_LISTS)

size_t
sync_group_bytes(size_t features, unsigned world_size)
{
	size_t values;

	if (features == SIZE_MAX || __builtin_mul_overflow(features + 1, GROUP_ARRAYS * sizeof(double), &values) ||
	    values > SIZE_MAX / 2)
		return SIZE_MAX;
	return values + world_size * (sizeof(struct sync_member *) + DIGEST_BYTES) + sizeof(struct sync_group);
}

static void
group_free(struct sync_group *g)
{
	budget_give_all(&g->memory);
	free(g->remote.at);
	free(g->members);
	free(g->digests);
	free(g->values);
	free(g);
}

void
sync_group_unref(struct sync_group *g)
{
	if (--g->references == 0)
		group_free(g);
}

struct sync_group *
sync_group_new(const struct sync_call *call, size_t features, bool shared, struct budget *memory, unsigned *waiting)
{
	struct sync_group *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->memory.budget = memory;
	g->layer_id = call->layer_id;
	g->backward = call->backward;
	memcpy(g->step, call->step, strnlen(call->step, SYNC_STEP_MAX));
	g->features = features;
	g->world_size = call->world_size;
	g->timeout_us = (uint64_t)call->timeout_ms * 1000;
	g->waiting = waiting;
	g->references = 1;
	if (shared) {
		memcpy(g->remote.model, call->model, strnlen(call->model, SYNC_MODEL_MAX));
		g->remote.known_only = call->known_only;
	}
	if (budget_take(&g->memory, sync_group_bytes(features, g->world_size)) &&
	    (g->members = calloc(g->world_size, sizeof(struct sync_member *))) != NULL &&
	    (!shared || (g->remote.at = calloc(g->world_size, 1)) != NULL) &&
	    (g->digests = calloc(g->world_size, sizeof(*g->digests))) != NULL &&
	    (g->values = calloc(features > 0 ? features : 1, GROUP_ARRAYS * sizeof(double))) != NULL)
		return g;
	group_free(g);
	return NULL;
}

int
sync_shard_digest(struct sync_member *m, struct err *e)
{
	const struct shard *s = &m->shard;
	const double *const arrays[] = { s->moments.mean, s->moments.var, s->sum, s->product };
	struct digest *d = digest_new();

	if (d == NULL)
		return err_fail_memory(e);
	digest_add(d, &s->moments.count, sizeof(s->moments.count));
	digest_add(d, &s->empty, sizeof(s->empty));
	digest_add(d, &s->features, sizeof(s->features));
	digest_add(d, &s->limit, sizeof(s->limit));
	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		if (arrays[i] != NULL)
			digest_add(d, arrays[i], s->features * sizeof(double));
	digest_get(d, m->digest);
	digest_free(d);
	return 0;
}

/* Puts a waiting member on the list of those to resume. */
static void
release(const struct sync_group *g, struct sync_member *m, const struct err *err, struct sync_member **list)
{
	m->waits = false;
	--*g->waiting;
	if (err != NULL)
		m->err = *err;
	else
		m->result = &g->result;
	m->next = *list;
	*list = m;
}

void
sync_group_release_all(
    struct sync_group *g, const struct sync_member *but, const struct err *err, struct sync_member **list)
{
	struct sync_member *m, *next;

	for (unsigned r = 0; r < g->world_size; r++)
		if (g->members[r] != NULL && g->members[r] != but)
			release(g, g->members[r], err, list);
	memset(g->members, 0, g->world_size * sizeof(struct sync_member *));
	for (m = g->late; m != NULL; m = next) {
		next = m->next;
		release(g, m, err, list);
	}
	g->late = NULL;
}

bool
sync_group_is_repeat(const struct sync_group *g, const struct sync_call *call, const struct sync_member *m)
{
	return call->world_size == g->world_size && memcmp(g->digests[call->rank], m->digest, DIGEST_BYTES) == 0;
}

int
sync_group_check(const struct sync_group *g, const struct sync_call *call, const struct shard *s, struct err *e)
{
	if (call->world_size != g->world_size)
		return err_fail(e, ERR_BAD_PARAMETER, "step \"%s\" has a world_size of %u, not %u", g->step,
		    g->world_size, call->world_size);
	if (s->features != g->features)
		return err_fail(e, ERR_SHAPE_MISMATCH, "the other shards of step \"%s\" have %zu feature%s, not %zu",
		    g->step, g->features, err_plural(g->features), s->features);
	return 0;
}

bool
sync_group_adds_waiter(const struct sync_group *g, const struct sync_call *call)
{
	if (g->state != GROUP_FILLS)
		return g->state == GROUP_LED;
	return g->members[call->rank] == NULL && (g->remote.at != NULL || g->arrived + 1 < g->world_size);
}

static void
release_replaced(const struct sync_group *g, unsigned rank, struct sync_member **list)
{
	struct err e = { 0 };

	err_set(&e, ERR_SYNC_INCOMPLETE,
	    "rank %u has sent step \"%s\" again, and the later call takes this one's place", rank, g->step);
	release(g, g->members[rank], &e, list);
}

/* The member takes its rank's place in a group that fills; a call that had the place before is released. */
static void
enter(struct sync_group *g, const struct sync_call *call, struct sync_member *m, struct sync_member **list)
{
	struct sync_member **place = &g->members[call->rank];

	if (*place != NULL)
		release_replaced(g, call->rank, list);
	else
		g->arrived++;
	*place = m;
	m->rank = call->rank;
	if (g->remote.at != NULL && memcmp(g->digests[call->rank], m->digest, DIGEST_BYTES) != 0)
		g->remote.at[call->rank] = 0; /* to be brought */
	memcpy(g->digests[call->rank], m->digest, DIGEST_BYTES);
}

bool
sync_group_join(struct sync_group *g, const struct sync_call *call, struct sync_member *m, struct sync_member **list)
{
	m->group = g;
	g->references++;
	if (g->state == GROUP_DONE) {
		m->result = &g->result;
		return false;
	}
	m->waits = true;
	++*g->waiting;
	if (g->state == GROUP_LED) {
		m->next = g->late;
		g->late = m;
		return false;
	}
	enter(g, call, m, list);
	if (g->remote.at != NULL || g->arrived < g->world_size)
		return false;
	m->waits = false;
	--*g->waiting;
	g->state = GROUP_LED;
	return true;
}

bool
sync_group_remove(struct sync_member *m, const struct err *err, struct sync_member **list)
{
	struct sync_group *g = m->group;

	if (!m->waits || g->state != GROUP_FILLS)
		return false;
	g->members[m->rank] = NULL;
	g->arrived--;
	release(g, m, err, list);
	return true;
}

void
sync_group_replaced(struct sync_group *g, unsigned rank, struct sync_member **list)
{
	if (g->members[rank] == NULL)
		return;
	release_replaced(g, rank, list);
	g->members[rank] = NULL;
	if (g->state == GROUP_FILLS)
		g->arrived--;
}

bool
sync_group_choose_leader(struct sync_group *g, struct sync_member **list)
{
	for (unsigned r = 0; r < g->world_size; r++) {
		struct sync_member *m = g->members[r];

		if (m == NULL)
			continue;
		release(g, m, NULL, list);
		m->leads = true;
		return true;
	}
	return false;
}

static const struct shard *
shard_of(const struct sync_group *g, const struct shard *shards, unsigned rank)
{
	return shards != NULL ? &shards[rank] : &g->members[rank]->shard;
}

/* Pools the moments, in the order of the ranks. */
static int
pool_shards(struct sync_group *g, const struct shard *shards, struct err *e)
{
	const size_t features = g->features;
	double *mean = g->values, *var = mean + features, *sum = var + features, *product = sum + features;
	struct moments *parts = calloc(g->world_size, sizeof(*parts));
	uint64_t count;
	int result;

	if (parts == NULL)
		return err_fail_memory(e);
	for (unsigned r = 0; r < g->world_size; r++)
		parts[r] = shard_of(g, shards, r)->moments;
	result = pool_moments(parts, g->world_size, features, mean, var, product + features, &count);
	free(parts);
	if (result < 0)
		return err_fail(e, ERR_NON_FINITE_INPUT, "the moments of the whole batch overflow");
	g->result.whole =
	    (struct shard){ .moments = { count, mean, var }, .features = features, .sum = sum, .product = product };
	return 0;
}

/* Adds up the sums of the gradients, about the pooled mean. */
static void
pool_sums(struct sync_group *g, const struct shard *shards)
{
	const double *mean = g->values;
	double *sum = g->values + 2 * g->features, *product = sum + g->features;

	for (unsigned r = 0; r < g->world_size; r++) {
		const struct shard *s = shard_of(g, shards, r);

		for (size_t f = 0; f < g->features && !s->empty; f++) {
			sum[f] += s->sum[f];
			product[f] += s->product[f] + (s->moments.mean[f] - mean[f]) * s->sum[f];
		}
	}
}

/* Whether all shards are empty, and the largest number that the narrowest output can hold. */
static void
pool_limits(struct sync_group *g, const struct shard *shards)
{
	struct shard *whole = &g->result.whole;

	whole->empty = true;
	whole->limit = HUGE_VAL;
	for (unsigned r = 0; r < g->world_size; r++) {
		const struct shard *s = shard_of(g, shards, r);

		if (s->empty)
			continue;
		whole->empty = false;
		if (s->limit < whole->limit)
			whole->limit = s->limit;
	}
}

const struct sync_result *
sync_group_pool(struct sync_group *g, const struct shard *shards, struct err *e)
{
	if (pool_shards(g, shards, e) < 0)
		return NULL;
	if (g->backward)
		pool_sums(g, shards);
	else
		g->result.state = g->values + 2 * g->features;
	pool_limits(g, shards);
	return &g->result;
}
