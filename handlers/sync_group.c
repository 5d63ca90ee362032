#include "handlers/sync_group.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "norm/pool.h"

/*
 * Steps that are remembered after they were done, and their memory, which no request has any more; beyond, the oldest is forgotten
 * before its time.
 */
#define DONE_MAX ((size_t)1024)
#define DONE_BYTES_MAX ((size_t)16 << 20)

/* mean, var, sum, product; scratch for two while they are pooled. */
#define GROUP_ARRAYS 6

enum group_state {
	GROUP_FILLS, /* members come and wait */
	GROUP_LED,   /* all have come; the leader is at work */
	GROUP_DONE   /* it has told, and nobody waits any more */
};

struct sync_group {
	struct sync_group *next; /* newest first */
	unsigned references;     /* members, and one of the list of all */
	enum group_state state;
	int64_t layer_id;
	bool backward;
	char step[SYNC_STEP_MAX + 1];
	size_t features;
	unsigned world_size, arrived;
	uint64_t timeout_us;
	uint64_t deadline_us;                   /* until it must be full; once it is done, until it is forgotten */
	struct sync_member **members;           /* of each rank, while it fills and is led; NULL: not here yet */
	unsigned char (*digests)[DIGEST_BYTES]; /* of each rank's shard, to know a repeat by */
	struct sync_member *late;               /* repeats that came while it was led */
	struct sync_result result;
	double *values; /* of the result */
};

static void
group_free(struct sync_group *g)
{
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

static size_t
group_bytes(const struct sync_group *g)
{
	return g->features * GROUP_ARRAYS * sizeof(double) +
	    g->world_size * (sizeof(struct sync_member *) + sizeof(*g->digests)) + sizeof(*g);
}

/* Takes it out of the list. */
static void
forget(struct sync_groups *all, struct sync_group *g)
{
	struct sync_group **link = &all->first;

	while (*link != g)
		link = &(*link)->next;
	*link = g->next;
	if (g->state == GROUP_DONE) {
		all->done_count--;
		all->done_bytes -= group_bytes(g);
	}
	sync_group_unref(g);
}

void
sync_groups_fini(struct sync_groups *all)
{
	while (all->first != NULL)
		forget(all, all->first);
}

static struct sync_group *
group_new(int64_t layer_id, bool backward, const struct sync_call *call, size_t features, uint64_t now_us)
{
	struct sync_group *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->layer_id = layer_id;
	g->backward = backward;
	memcpy(g->step, call->step, strnlen(call->step, SYNC_STEP_MAX));
	g->features = features;
	g->world_size = call->world_size;
	g->timeout_us = (uint64_t)call->timeout_ms * 1000;
	g->deadline_us = now_us + g->timeout_us;
	g->members = calloc(g->world_size, sizeof(struct sync_member *));
	g->digests = calloc(g->world_size, sizeof(*g->digests));
	g->values = calloc(features + 1, GROUP_ARRAYS * sizeof(double));
	g->references = 1;
	if (g->members != NULL && g->digests != NULL && g->values != NULL)
		return g;
	group_free(g);
	return NULL;
}

int
sync_shard_digest(struct sync_member *m, struct err *e)
{
	const struct sync_shard *s = &m->shard;
	const double *const arrays[] = { s->mean, s->var, s->sum, s->product };
	struct digest *d = digest_new();

	if (d == NULL)
		return err_set_memory(e);
	digest_add(d, &s->count, sizeof(s->count));
	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		if (arrays[i] != NULL)
			digest_add(d, arrays[i], s->features * sizeof(double));
	digest_get(d, m->digest);
	digest_free(d);
	return 0;
}

/* Puts a waiting member onto the list of those to be resumed. */
static void
release(struct sync_member *m, const struct err *err, const struct sync_result *result, struct sync_member **list)
{
	m->waits = false;
	if (err != NULL)
		m->err = *err;
	else
		m->result = result;
	m->next = *list;
	*list = m;
}

/* All members but `but`, and all that came late. */
static void
release_all(struct sync_group *g, const struct sync_member *but, const struct err *err, struct sync_member **list)
{
	struct sync_member *m, *next;

	for (unsigned r = 0; r < g->world_size; r++)
		if (g->members[r] != NULL && g->members[r] != but)
			release(g->members[r], err, &g->result, list);
	memset(g->members, 0, g->world_size * sizeof(struct sync_member *));
	for (m = g->late; m != NULL; m = next) {
		next = m->next;
		release(m, err, &g->result, list);
	}
	g->late = NULL;
}

static struct sync_group *
find(const struct sync_groups *all, int64_t layer_id, bool backward, const char *step)
{
	struct sync_group *g = all->first;

	while (g != NULL && (g->layer_id != layer_id || g->backward != backward || strcmp(g->step, step) != 0))
		g = g->next;
	return g;
}

/* Whether the shard is the one that this rank brought to a group that is full. */
static bool
is_repeat(const struct sync_group *g, const struct sync_call *call, const struct sync_member *m)
{
	return call->world_size == g->world_size && memcmp(g->digests[call->rank], m->digest, DIGEST_BYTES) == 0;
}

static int
check_call(const struct sync_group *g, const struct sync_call *call, const struct sync_shard *s, struct err *e)
{
	if (call->world_size != g->world_size)
		return err_set(e, ERR_BAD_PARAMETER, "step \"%s\" has a world_size of %u, not %u", g->step, g->world_size,
		    call->world_size);
	if (s->features != g->features)
		return err_set(e, ERR_SHAPE_MISMATCH, "the other shards of step \"%s\" have %zu features, not %zu", g->step,
		    g->features, s->features);
	return 0;
}

struct sync_group *
sync_groups_get(struct sync_groups *all, int64_t layer_id, bool backward, const struct sync_call *call, struct sync_member *m,
    uint64_t now_us)
{
	struct sync_group *g = find(all, layer_id, backward, call->step);

	if (g != NULL && g->state == GROUP_DONE && !is_repeat(g, call, m)) {
		forget(all, g);
		g = NULL;
	}
	if (g != NULL && g->state == GROUP_LED && !is_repeat(g, call, m)) {
		(void)err_set(&m->err, ERR_SYNC_INCOMPLETE, "step \"%s\" is full and being done, with another shard of rank %u",
		    call->step, call->rank);
		return NULL;
	}
	if (g != NULL)
		return check_call(g, call, &m->shard, &m->err) < 0 ? NULL : g;
	g = group_new(layer_id, backward, call, m->shard.features, now_us);
	if (g == NULL) {
		(void)err_set_memory(&m->err);
		return NULL;
	}
	g->next = all->first;
	all->first = g;
	return g;
}

bool
sync_group_is_new(const struct sync_group *g)
{
	return g->arrived == 0;
}

/* Takes the member's place in a group that fills; whoever had it before is told. */
static void
enter(struct sync_group *g, const struct sync_call *call, struct sync_member *m, struct sync_member **list)
{
	struct sync_member **place = &g->members[call->rank];
	struct err e = { 0 };

	if (*place != NULL) {
		(void)err_set(&e, ERR_SYNC_INCOMPLETE,
		    "rank %u has sent step \"%s\" again, and that call takes this one's place", call->rank, g->step);
		release(*place, &e, NULL, list);
	} else {
		g->arrived++;
	}
	*place = m;
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
	if (g->state == GROUP_LED) {
		m->next = g->late;
		g->late = m;
		return false;
	}
	enter(g, call, m, list);
	if (g->arrived < g->world_size)
		return false;
	m->waits = false;
	g->state = GROUP_LED;
	return true;
}

/* The moments of all shards together, in the order of their ranks. */
static int
pool_shards(struct sync_group *g, struct err *e)
{
	const size_t features = g->features;
	double *mean = g->values, *var = mean + features, *sum = var + features, *product = sum + features;
	struct moments_part *parts = calloc(g->world_size, sizeof(*parts));
	int result;

	if (parts == NULL)
		return err_set_memory(e);
	for (unsigned r = 0; r < g->world_size; r++) {
		const struct sync_shard *s = &g->members[r]->shard;

		parts[r] = (struct moments_part){ s->count, s->mean, s->var };
	}
	result = pool_moments(parts, g->world_size, features, mean, var, product + features, &g->result.count);
	free(parts);
	if (result < 0)
		return err_set(e, ERR_NON_FINITE_INPUT, "the moments of the whole batch overflow");
	g->result.mean = mean;
	g->result.var = var;
	g->result.sum = sum;
	g->result.product = product;
	return 0;
}

/* Those of the gradients, about the pooled mean. */
static void
pool_sums(struct sync_group *g)
{
	const double *mean = g->values;
	double *sum = g->values + 2 * g->features, *product = sum + g->features;

	for (unsigned r = 0; r < g->world_size; r++) {
		const struct sync_shard *s = &g->members[r]->shard;

		for (size_t f = 0; f < g->features && !s->empty; f++) {
			sum[f] += s->sum[f];
			product[f] += s->product[f] + (s->mean[f] - mean[f]) * s->sum[f];
		}
	}
}

/* What is known of all the shards' values. */
static void
pool_extents(struct sync_group *g)
{
	g->result.empty = true;
	g->result.padding = 0;
	g->result.limit = HUGE_VAL;
	for (unsigned r = 0; r < g->world_size; r++) {
		const struct sync_shard *s = &g->members[r]->shard;

		if (s->empty)
			continue;
		g->result.empty = false;
		if (s->padding > g->result.padding)
			g->result.padding = s->padding;
		if (s->limit < g->result.limit)
			g->result.limit = s->limit;
	}
}

const struct sync_result *
sync_group_pool(struct sync_group *g, struct err *e)
{
	if (pool_shards(g, e) < 0)
		return NULL;
	if (g->backward)
		pool_sums(g);
	pool_extents(g);
	return &g->result;
}

/* One more is done; forgets the oldest of too many. */
static void
remember(struct sync_groups *all, struct sync_group *done)
{
	done->state = GROUP_DONE;
	all->done_count++;
	all->done_bytes += group_bytes(done);
	while (all->done_count > DONE_MAX || all->done_bytes > DONE_BYTES_MAX) {
		struct sync_group *oldest = NULL;

		for (struct sync_group *g = all->first; g != NULL; g = g->next)
			if (g->state == GROUP_DONE)
				oldest = g;
		forget(all, oldest);
	}
}

void
sync_groups_tell(struct sync_groups *all, struct sync_member *leader, uint64_t num_batches_tracked, uint64_t revision,
    uint64_t now_us, struct sync_member **list)
{
	struct sync_group *g = leader->group;

	g->result.num_batches_tracked = num_batches_tracked;
	g->result.revision = revision;
	release_all(g, leader, NULL, list);
	g->deadline_us = now_us + g->timeout_us;
	remember(all, g);
}

void
sync_groups_fail(struct sync_groups *all, struct sync_member *leader, const struct err *err, struct sync_member **list)
{
	struct sync_group *g = leader->group;

	assert(g->references > 1); /* the list's and the leader's */
	release_all(g, leader, err, list);
	forget(all, g);
}

static void
incomplete(const struct sync_group *g, struct err *e)
{
	(void)err_set(e, ERR_SYNC_INCOMPLETE, "step \"%s\" did not fill in time: %u of %u ranks came", g->step, g->arrived,
	    g->world_size);
}

uint64_t
sync_groups_expire(struct sync_groups *all, uint64_t now_us, struct sync_member **list)
{
	uint64_t first_us = now_us + 60 * (uint64_t)1000000;
	struct sync_group *g, *next;
	struct err e = { 0 };

	for (g = all->first; g != NULL; g = next) {
		next = g->next;
		if (g->state == GROUP_LED)
			continue;
		if (g->deadline_us > now_us) {
			first_us = g->deadline_us < first_us ? g->deadline_us : first_us;
			continue;
		}
		if (g->state == GROUP_FILLS) {
			incomplete(g, &e);
			release_all(g, NULL, &e, list);
		}
		forget(all, g);
	}
	return first_us;
}

void
sync_groups_fail_unled(struct sync_groups *all, const struct err *err, struct sync_member **list)
{
	struct sync_group *next;

	for (struct sync_group *g = all->first; g != NULL; g = next) {
		next = g->next;
		if (g->state == GROUP_LED)
			continue;
		release_all(g, NULL, err, list);
		forget(all, g);
	}
}

bool
sync_groups_any_is_led(const struct sync_groups *all)
{
	const struct sync_group *g = all->first;

	while (g != NULL && g->state != GROUP_LED)
		g = g->next;
	return g != NULL;
}
