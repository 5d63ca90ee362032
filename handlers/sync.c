#include "handlers/sync.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "norm/pool.h"

/* Steps that are remembered after they were done, and their memory, which no request has any more; beyond, the oldest is forgotten before its time. */
#define DONE_MAX ((size_t)1024)
#define DONE_BYTES_MAX ((size_t)16 << 20)

/* mean, var, sum, product; scratch for two while they are pooled. */
#define GROUP_ARRAYS 6

enum group_state {
	GROUP_FILLS, /* members come and wait */
	GROUP_LED,   /* all have come; the leader is at work */
	GROUP_DONE   /* it has told, and nobody waits any more */
};

/* Guarded by the lock of struct sync, but for `result`, which does not change once the leader has it. */
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

struct sync {
	pthread_t thread;

	/* Guarded by `lock`; `wake` is signalled when the first deadline may have changed. */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct sync_group *groups;
	size_t done_count, done_bytes;
	unsigned telling; /* leaders that are resuming the others */
	bool stopping;
};

static void
group_free(struct sync_group *g)
{
	free(g->members);
	free(g->digests);
	free(g->values);
	free(g);
}

static void
group_unref_locked(struct sync_group *g)
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
group_forget_locked(struct sync *all, struct sync_group *g)
{
	struct sync_group **link = &all->groups;

	while (*link != g)
		link = &(*link)->next;
	*link = g->next;
	if (g->state == GROUP_DONE) {
		all->done_count--;
		all->done_bytes -= group_bytes(g);
	}
	group_unref_locked(g);
}

static struct sync_group *
group_new(int64_t layer_id, bool backward, const struct sync_call *call, size_t features)
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
	g->deadline_us = clock_monotonic_us() + g->timeout_us;
	g->members = calloc(g->world_size, sizeof(struct sync_member *));
	g->digests = calloc(g->world_size, sizeof(*g->digests));
	g->values = calloc(features + 1, GROUP_ARRAYS * sizeof(double));
	g->references = 1;
	if (g->members != NULL && g->digests != NULL && g->values != NULL)
		return g;
	group_free(g);
	return NULL;
}

static int
digest_shard(const struct sync_shard *s, unsigned char out[DIGEST_BYTES], struct err *e)
{
	const double *const arrays[] = { s->mean, s->var, s->sum, s->product };
	struct digest *d = digest_new();

	if (d == NULL)
		return err_set_memory(e);
	digest_add(d, &s->count, sizeof(s->count));
	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		if (arrays[i] != NULL && s->count > 0)
			digest_add(d, arrays[i], s->features * sizeof(double));
	digest_get(d, out);
	digest_free(d);
	return 0;
}

/* The end of waiting, for a list of members that is linked by `next`: called without the lock. */
static void
resume_all(struct sync_member *list)
{
	struct sync_member *next;

	for (struct sync_member *m = list; m != NULL; m = next) {
		next = m->next; /* it may be gone as soon as it is resumed */
		m->resume(m->arg);
	}
}

/* Puts a waiting member onto the list of those to be resumed. */
static void
release_locked(struct sync_member *m, const struct err *err, const struct sync_result *result, struct sync_member **list)
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
release_group_locked(struct sync_group *g, const struct sync_member *but, const struct err *err, struct sync_member **list)
{
	struct sync_member *m, *next;

	for (unsigned r = 0; r < g->world_size; r++)
		if (g->members[r] != NULL && g->members[r] != but)
			release_locked(g->members[r], err, &g->result, list);
	memset(g->members, 0, g->world_size * sizeof(struct sync_member *));
	for (m = g->late; m != NULL; m = next) {
		next = m->next;
		release_locked(m, err, &g->result, list);
	}
	g->late = NULL;
}

static void
incomplete(const struct sync_group *g, struct err *e)
{
	(void)err_set(e, ERR_SYNC_INCOMPLETE, "step \"%s\" did not fill in time: %u of %u ranks came", g->step, g->arrived,
	    g->world_size);
}

/* Looks at all groups; returns when to look again. */
static uint64_t
look_locked(struct sync *all, struct sync_member **list)
{
	const uint64_t now_us = clock_monotonic_us();
	uint64_t first_us = now_us + 60 * (uint64_t)1000000;
	struct sync_group *g, *next;
	struct err e = { 0 };

	for (g = all->groups; g != NULL; g = next) {
		next = g->next;
		if (g->state == GROUP_LED)
			continue;
		if (g->deadline_us > now_us) {
			first_us = g->deadline_us < first_us ? g->deadline_us : first_us;
			continue;
		}
		if (g->state == GROUP_FILLS) {
			incomplete(g, &e);
			release_group_locked(g, NULL, &e, list);
		}
		group_forget_locked(all, g);
	}
	return first_us;
}

static void *
watch(void *arg)
{
	struct sync *all = arg;
	struct sync_member *list;
	struct timespec at;

	pthread_mutex_lock(&all->lock);
	while (!all->stopping) {
		list = NULL;
		at = clock_timespec(look_locked(all, &list));
		if (list != NULL) {
			pthread_mutex_unlock(&all->lock);
			resume_all(list);
			pthread_mutex_lock(&all->lock);
		} else {
			(void)pthread_cond_timedwait(&all->wake, &all->lock, &at);
		}
	}
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

struct sync *
sync_start(struct err *e)
{
	struct sync *all = calloc(1, sizeof(*all));
	int rc;

	if (all == NULL) {
		(void)err_set_memory(e);
		return NULL;
	}
	pthread_mutex_init(&all->lock, NULL);
	clock_cond_init(&all->wake);
	rc = pthread_create(&all->thread, NULL, watch, all);
	if (rc == 0)
		return all;
	(void)err_set(e, ERR_OVERLOADED, "the thread of synchronized steps cannot be started: %s", strerror(rc));
	pthread_mutex_destroy(&all->lock);
	pthread_cond_destroy(&all->wake);
	free(all);
	return NULL;
}

void
sync_stop(struct sync *all)
{
	struct sync_member *list = NULL;
	struct sync_group *next;
	struct err e = { 0 };
	bool stopped;

	(void)err_set(&e, ERR_SHUTTING_DOWN, "the server is finishing its last requests");
	pthread_mutex_lock(&all->lock);
	stopped = all->stopping;
	all->stopping = true;
	pthread_cond_signal(&all->wake);
	for (struct sync_group *g = all->groups; g != NULL; g = next) {
		next = g->next;
		if (g->state == GROUP_LED)
			continue; /* its leader is at work and will tell */
		release_group_locked(g, NULL, &e, &list);
		group_forget_locked(all, g);
	}
	pthread_mutex_unlock(&all->lock);
	resume_all(list);
	if (!stopped)
		pthread_join(all->thread, NULL);
}

static bool
anyone_waits_locked(const struct sync *all)
{
	const struct sync_group *g = all->groups;

	while (g != NULL && g->state != GROUP_LED)
		g = g->next;
	return g != NULL || all->telling > 0;
}

void
sync_settle(struct sync *all)
{
	const struct timespec until = clock_timespec(clock_monotonic_us() + SYNC_SETTLE_S * (uint64_t)1000000);

	pthread_mutex_lock(&all->lock);
	while (anyone_waits_locked(all) && pthread_cond_timedwait(&all->wake, &all->lock, &until) == 0)
		;
	pthread_mutex_unlock(&all->lock);
}

void
sync_free(struct sync *all)
{
	struct sync_group *next;

	if (all == NULL)
		return;
	for (struct sync_group *g = all->groups; g != NULL; g = next) {
		next = g->next;
		group_unref_locked(g);
	}
	pthread_mutex_destroy(&all->lock);
	pthread_cond_destroy(&all->wake);
	free(all);
}

static struct sync_group *
find_locked(struct sync *all, int64_t layer_id, bool backward, const char *step)
{
	struct sync_group *g = all->groups;

	while (g != NULL && (g->layer_id != layer_id || g->backward != backward || strcmp(g->step, step) != 0))
		g = g->next;
	return g;
}

/* Whether the shard is the one that this rank brought to a group that is full. */
static bool
is_repeat(const struct sync_group *g, const struct sync_call *call, const unsigned char digest[DIGEST_BYTES])
{
	return call->world_size == g->world_size && memcmp(g->digests[call->rank], digest, DIGEST_BYTES) == 0;
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

/* Takes the member's place in a group that fills; whoever had it before is told. */
static void
enter_locked(struct sync_group *g, const struct sync_call *call, struct sync_member *m,
    const unsigned char digest[DIGEST_BYTES], struct sync_member **list)
{
	struct sync_member **place = &g->members[call->rank];
	struct err e = { 0 };

	if (*place != NULL) {
		(void)err_set(&e, ERR_SYNC_INCOMPLETE,
		    "rank %u has sent step \"%s\" again, and that call takes this one's place", call->rank, g->step);
		release_locked(*place, &e, NULL, list);
	} else {
		g->arrived++;
	}
	*place = m;
	memcpy(g->digests[call->rank], digest, DIGEST_BYTES);
}

/* What is known of all the shards' values. */
static void
pool_extents(struct sync_group *g)
{
	g->result.padding = 0;
	g->result.limit = HUGE_VAL;
	for (unsigned r = 0; r < g->world_size; r++) {
		const struct sync_shard *s = &g->members[r]->shard;

		if (s->count > 0 && s->padding > g->result.padding)
			g->result.padding = s->padding;
		if (s->count > 0 && s->limit < g->result.limit)
			g->result.limit = s->limit;
	}
}

/* Pools a group that is full (docs/MATH.md, equation 24). Nobody else touches it now. */
static int
pool(struct sync_group *g, struct err *e)
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
	for (unsigned r = 0; r < g->world_size && g->backward; r++) {
		const struct sync_shard *s = &g->members[r]->shard;

		for (size_t f = 0; f < features && s->count > 0; f++) {
			sum[f] += s->sum[f];
			product[f] += s->product[f] + (s->mean[f] - mean[f]) * s->sum[f];
		}
	}
	pool_extents(g);
	g->result.mean = mean;
	g->result.var = var;
	g->result.sum = sum;
	g->result.product = product;
	return 0;
}

/* The group that the member belongs to now, or NULL with m->err. A step that is done and comes again with other shards is a new one. */
static struct sync_group *
group_for_locked(struct sync *all, int64_t layer_id, bool backward, const struct sync_call *call, struct sync_member *m,
    const unsigned char digest[DIGEST_BYTES])
{
	struct sync_group *g = find_locked(all, layer_id, backward, call->step);

	if (all->stopping) {
		(void)err_set(&m->err, ERR_SHUTTING_DOWN, "the server is finishing its last requests");
		return NULL;
	}
	if (g != NULL && g->state == GROUP_DONE && !is_repeat(g, call, digest)) {
		group_forget_locked(all, g);
		g = NULL;
	}
	if (g != NULL && g->state == GROUP_LED && !is_repeat(g, call, digest)) {
		(void)err_set(&m->err, ERR_SYNC_INCOMPLETE, "step \"%s\" is full and being done, with another shard of rank %u",
		    call->step, call->rank);
		return NULL;
	}
	if (g != NULL)
		return check_call(g, call, &m->shard, &m->err) < 0 ? NULL : g;
	g = group_new(layer_id, backward, call, m->shard.features);
	if (g == NULL) {
		(void)err_set_memory(&m->err);
		return NULL;
	}
	g->next = all->groups;
	all->groups = g;
	pthread_cond_signal(&all->wake);
	return g;
}

/* Joins it, by its state; returns whether the group is full now, with this member. */
static bool
join_locked(struct sync_group *g, const struct sync_call *call, struct sync_member *m, const unsigned char digest[DIGEST_BYTES],
    struct sync_member **list)
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
	enter_locked(g, call, m, digest, list);
	if (g->arrived < g->world_size)
		return false;
	m->waits = false;
	g->state = GROUP_LED;
	return true;
}

bool
sync_join(struct sync *all, int64_t layer_id, bool backward, const struct sync_call *call, struct sync_member *m)
{
	unsigned char digest[DIGEST_BYTES];
	struct sync_member *list = NULL;
	struct sync_group *g;
	bool full = false, waits;
	struct err e = { 0 };

	m->all = all;
	if (digest_shard(&m->shard, digest, &m->err) < 0)
		return false;
	pthread_mutex_lock(&all->lock);
	g = group_for_locked(all, layer_id, backward, call, m, digest);
	if (g != NULL)
		full = join_locked(g, call, m, digest, &list);
	waits = m->waits; /* while the lock is held: afterwards it may be resumed, and gone */
	pthread_mutex_unlock(&all->lock);
	resume_all(list);
	if (!full)
		return waits;
	m->leads = true;
	if (pool(g, &e) < 0) {
		m->err = e;
		sync_lead(m, &e, 0, 0);
	} else {
		m->result = &g->result;
	}
	return false;
}

/* One more is done; forgets the oldest of too many. */
static void
done_locked(struct sync *all, struct sync_group *done)
{
	done->state = GROUP_DONE;
	all->done_count++;
	all->done_bytes += group_bytes(done);
	while (all->done_count > DONE_MAX || all->done_bytes > DONE_BYTES_MAX) {
		struct sync_group *oldest = NULL;

		for (struct sync_group *g = all->groups; g != NULL; g = g->next)
			if (g->state == GROUP_DONE)
				oldest = g;
		group_forget_locked(all, oldest);
	}
}

void
sync_lead(struct sync_member *m, const struct err *err, uint64_t num_batches_tracked, uint64_t revision)
{
	struct sync_group *g = m->group;
	struct sync *all = m->all;
	struct sync_member *list = NULL;

	m->leads = false;
	pthread_mutex_lock(&all->lock);
	g->result.num_batches_tracked = num_batches_tracked;
	g->result.revision = revision;
	release_group_locked(g, m, err, &list);
	if (err != NULL) {
		assert(g->references > 1); /* the list's and the leader's */
		group_forget_locked(all, g);
	} else {
		g->deadline_us = clock_monotonic_us() + g->timeout_us;
		done_locked(all, g);
	}
	all->telling++;
	pthread_mutex_unlock(&all->lock);
	resume_all(list);
	pthread_mutex_lock(&all->lock);
	all->telling--;
	pthread_cond_signal(&all->wake);
	pthread_mutex_unlock(&all->lock);
}

void
sync_leave(struct sync_member *m)
{
	struct err e = { 0 };

	if (m->group == NULL)
		return;
	if (m->leads) {
		(void)err_set(&e, ERR_SYNC_INCOMPLETE, "the call that was to finish the step has failed");
		sync_lead(m, &e, 0, 0);
	}
	pthread_mutex_lock(&m->all->lock);
	group_unref_locked(m->group);
	pthread_mutex_unlock(&m->all->lock);
	m->group = NULL;
}
