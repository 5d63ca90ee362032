/* SPDX-License-Identifier: MIT */
#include "sync/remote.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pulse.h"
#include "sync/shard_bytes.h"

#define LOOK_MIN_US ((uint64_t)2000)
#define LOOK_MAX_US ((uint64_t)32000)
#define PURGE_US ((uint64_t)60000000)
#define TROUBLE_US ((uint64_t)200000) /* between two tries while the meeting cannot be reached */
#define TELL_TRIES 50

/* What a rank of ours is to the meeting. */
enum { RANK_TO_BRING, RANK_BROUGHT, RANK_TO_LEAVE };

/* ---- the list of groups; each has a reference of it */

static void
enlist(struct remote *r, struct sync_group *g)
{
	if (g->remote.listed)
		return;
	g->remote.listed = true;
	g->remote.next = r->first;
	r->first = g;
	g->references++;
}

static void
drop(struct remote *r, struct sync_group *g)
{
	struct sync_group **link = &r->first;

	while (*link != g)
		link = &(*link)->remote.next;
	*link = g->remote.next;
	g->remote.listed = false;
	sync_group_unref(g);
}

static bool
is_over(const struct sync_group *g)
{
	return !g->remote.to_tell && (g->remote.forgotten || g->state == GROUP_DONE);
}

void
remote_note(struct remote *r, struct sync_group *g)
{
	enlist(r, g);
	g->remote.due = true;
	pthread_cond_signal(&r->wake);
}

void
remote_left(struct remote *r, const struct sync_member *m)
{
	struct sync_group *g = m->group;

	if (g->remote.at[m->rank] != RANK_BROUGHT)
		return;
	g->remote.at[m->rank] = RANK_TO_LEAVE;
	remote_note(r, g);
}

void
remote_told(struct remote *r, struct sync_group *g, const struct err *err)
{
	if (g->backward || g->remote.turn == 0)
		return;
	enlist(r, g);
	g->remote.to_tell = true;
	g->remote.tries = 0;
	if (err != NULL)
		g->remote.failure = *err;
	pthread_cond_signal(&r->wake);
}

static struct meeting_step
name_of(const struct sync_group *g)
{
	return (struct meeting_step){ g->remote.model, g->layer_id, g->backward, g->step, g->remote.turn };
}

/* ---- without the lock */

static void
call_begins(const struct remote *r)
{
	pthread_mutex_unlock(r->lock);
	pulse_wait();
}

static void
call_ends(const struct remote *r)
{
	pulse_work();
	pthread_mutex_lock(r->lock);
}

static void
resume(struct remote *r, struct sync_member *list)
{
	if (list == NULL)
		return;
	pthread_mutex_unlock(r->lock);
	r->resume(list);
	pthread_mutex_lock(r->lock);
}

/* ---- a visit */

static void
free_shards(struct meeting_shard *list, size_t count)
{
	for (size_t i = 0; list != NULL && i < count; i++)
		free(list[i].bytes);
	free(list);
}

struct trip {
	struct meeting_visit visit;
	unsigned *leave;
};

static void
trip_fini(struct trip *t)
{
	free_shards(t->visit.bring, t->visit.bring_count);
	free_shards(t->visit.shards, t->visit.world_size);
	free(t->visit.result.state);
	free(t->visit.have);
	free(t->leave);
}

static int
pack(const struct sync_group *g, struct trip *t)
{
	struct meeting_visit *v = &t->visit;
	struct meeting_shard *s;

	v->bring = calloc(g->world_size, sizeof(*v->bring));
	v->have = calloc(g->world_size, sizeof(*v->have));
	v->leave = t->leave = calloc(g->world_size, sizeof(*t->leave));
	if (v->bring == NULL || v->have == NULL || t->leave == NULL)
		return -1;
	for (unsigned rank = 0; rank < g->world_size; rank++) {
		if (g->remote.at[rank] == RANK_TO_LEAVE)
			t->leave[v->leave_count++] = rank;
		if (g->members[rank] != NULL && g->remote.at[rank] == RANK_BROUGHT) {
			v->have[v->have_count].rank = rank;
			memcpy(v->have[v->have_count++].digest, g->digests[rank], DIGEST_BYTES);
		}
		if (g->members[rank] == NULL || g->remote.at[rank] != RANK_TO_BRING)
			continue;
		s = &v->bring[v->bring_count];
		s->rank = rank;
		memcpy(s->digest, g->digests[rank], DIGEST_BYTES);
		s->bytes = shard_to_bytes(&g->members[rank]->shard, g->backward, &s->length);
		if (s->bytes == NULL)
			return -1;
		v->bring_count++;
	}
	return 0;
}

/* Ranks that have come again with another shard meanwhile are still to be brought. */
static void
note_brought(struct sync_group *g, const struct meeting_visit *v)
{
	for (size_t i = 0; i < v->bring_count; i++)
		if (memcmp(g->digests[v->bring[i].rank], v->bring[i].digest, DIGEST_BYTES) == 0 &&
		    g->remote.at[v->bring[i].rank] == RANK_TO_BRING)
			g->remote.at[v->bring[i].rank] = RANK_BROUGHT;
	for (size_t i = 0; i < v->leave_count; i++)
		if (g->remote.at[v->leave[i]] == RANK_TO_LEAVE)
			g->remote.at[v->leave[i]] = RANK_TO_BRING;
}

/* Calls whose rank has come to another daemon with another shard are let go. */
static void
let_go(struct sync_group *g, const struct meeting_visit *v, struct sync_member **list)
{
	g->remote.changes = v->changes;
	for (size_t i = 0; i < v->have_count; i++)
		if (v->have[i].replaced && memcmp(g->digests[v->have[i].rank], v->have[i].digest, DIGEST_BYTES) == 0) {
			g->remote.at[v->have[i].rank] = RANK_TO_BRING;
			sync_group_replaced(g, v->have[i].rank, list);
		}
}

/*
 * What the shards of all ranks take while they are pooled: as the meeting gives them, twice (its own copy, and ours),
 * and as doubles.
 */
static size_t
pool_bytes(const struct sync_group *g)
{
	size_t shard, all;

	if (__builtin_mul_overflow(g->features + 1, 4 * sizeof(double), &shard) ||
	    __builtin_mul_overflow(shard, 3 * (size_t)g->world_size, &all))
		return SIZE_MAX;
	return all;
}

/* Computes the result from the shards of all ranks. Nobody else touches the group's values meanwhile. */
static int
pool(struct sync_group *g, const struct meeting_visit *v, struct err *e)
{
	const size_t each = 4 * g->features;
	struct shard *shards = calloc(g->world_size, sizeof(*shards));
	double *values = calloc(each * g->world_size + 1, sizeof(*values));
	int result = 0;

	if (shards == NULL || values == NULL)
		result = err_fail_memory(e);
	for (unsigned rank = 0; result == 0 && rank < g->world_size; rank++)
		if (!shard_from_bytes(v->shards[rank].bytes, v->shards[rank].length, g->features, g->backward,
			values + rank * each, &shards[rank]))
			result = err_fail(e, ERR_STORAGE_UNAVAILABLE, "a shard of step \"%s\" is damaged", g->step);
	if (result == 0 && sync_group_pool(g, shards, e) == NULL)
		result = -1;
	free(shards);
	free(values);
	return result;
}

/* All ranks have come. The shards of ours are in the meeting; what they come to is computed without the lock. */
static int
begin_to_end(struct remote *r, struct sync_group *g, const struct meeting_visit *v, struct err *e)
{
	int result;

	sync_groups_begin_to_end(r->groups, g);
	g->result.turn = g->remote.turn;
	call_begins(r);
	result = pool(g, v, e);
	call_ends(r);
	return result;
}

static void
fail_group(struct remote *r, struct sync_group *g, const struct err *e, struct sync_member **list)
{
	if (!g->remote.forgotten)
		sync_groups_fail(r->groups, g, NULL, e, list);
}

/* The lowest rank of ours leads, and calls remote_told in the end. Without one, another daemon will take over. */
static void
lead(struct remote *r, struct sync_group *g, struct sync_member **list)
{
	struct err e = { 0 };

	g->remote.follows = false;
	if (sync_group_choose_leader(g, list))
		return;
	err_set(&e, ERR_SYNC_INCOMPLETE, "nobody is left to finish step \"%s\"", g->step);
	fail_group(r, g, &e, list);
}

static void
take_result(struct remote *r, struct sync_group *g, const struct meeting_result *result, struct sync_member **list)
{
	if (g->result.state != NULL && result->state_count == SYNC_STATE_LISTS * g->features)
		memcpy(g->result.state, result->state, result->state_count * sizeof(double));
	g->remote.follows = false;
	sync_groups_tell(r->groups, g, NULL, result->num_batches_tracked, result->revision, clock_monotonic_us(), list);
}

static void
tell_failure(struct remote *r, struct sync_group *g, const struct meeting_visit *v, const struct err *e,
    struct sync_member **list)
{
	if (v->leads)
		remote_told(r, g, e);
	fail_group(r, g, e, list);
}

static void
all_have_come(struct remote *r, struct sync_group *g, const struct meeting_visit *v, struct sync_member **list)
{
	struct err e = { 0 };

	if (g->state == GROUP_FILLS && begin_to_end(r, g, v, &e) < 0)
		tell_failure(r, g, v, &e, list);
	else if (v->state == MEETING_DONE)
		take_result(r, g, &v->result, list);
	else if (v->leads)
		lead(r, g, list);
	else
		g->remote.follows = true;
}

static void
step_is_gone(struct remote *r, struct sync_group *g, struct sync_member **list)
{
	struct err e = { 0 };

	if (g->remote.known_only) {
		sync_groups_release_unknown(r->groups, g, list);
		return;
	}
	err_set(&e, ERR_SYNC_INCOMPLETE, "step \"%s\" was given up, or begun anew, on another server", g->step);
	fail_group(r, g, &e, list);
}

/* What a visit came to. */
static void
arrive(struct remote *r, struct sync_group *g, const struct meeting_visit *v, struct sync_member **list)
{
	g->remote.turn = v->step.turn;
	note_brought(g, v);
	if (v->state != MEETING_GONE)
		let_go(g, v, list);
	if (v->state == MEETING_GONE)
		step_is_gone(r, g, list);
	else if (v->state == MEETING_FAILED)
		fail_group(r, g, &v->result.err, list);
	else if (v->state != MEETING_FILLS)
		all_have_come(r, g, v, list);
	else if (g->arrived == 0)
		fail_group(r, g, NULL, list); /* all of ours have left */
}

/* A step that is led elsewhere may be finished without us: it is asked again. Others are told at once. */
static void
cannot_visit(struct remote *r, struct sync_group *g, const struct err *e, struct sync_member **list)
{
	if (!g->remote.follows || ++g->remote.tries > TELL_TRIES) {
		fail_group(r, g, e, list);
		return;
	}
	r->rest_us = TROUBLE_US;
}

static void
visit(struct remote *r, struct sync_group *g)
{
	struct trip t = { .visit = { .step = name_of(g),
			      .world_size = g->world_size,
			      .features = g->features,
			      .timeout_ms = (unsigned)(g->timeout_us / 1000),
			      .known_only = g->remote.known_only } };
	struct sync_member *list = NULL;
	struct budget_share memory = { .budget = r->groups->memory };
	struct err e = { 0 };
	int result = budget_ask(&memory, pool_bytes(g), &e);

	g->remote.due = false;
	r->left_until_us = clock_monotonic_us() + 2 * g->timeout_us + 3 * PURGE_US;
	if (result == 0 && pack(g, &t) < 0)
		result = err_fail_memory(&e);
	if (result == 0) {
		call_begins(r);
		result = r->meeting->visit(r->meeting, &t.visit, &e);
		call_ends(r);
	}
	if (result < 0 && !is_over(g))
		cannot_visit(r, g, &e, &list);
	else if (!is_over(g))
		arrive(r, g, &t.visit, &list);
	resume(r, list);
	trip_fini(&t);
	budget_give_all(&memory);
}

/* ---- telling */

static void
tell(struct remote *r, struct sync_group *g)
{
	const struct meeting_step step = name_of(g);
	const struct meeting_result result = { g->result.num_batches_tracked, g->result.revision, g->result.state,
		g->result.state == NULL ? 0 : SYNC_STATE_LISTS * g->features, g->remote.failure };
	struct err e;
	int told;

	call_begins(r);
	told = r->meeting->tell(r->meeting, &step, (unsigned)(g->timeout_us / 1000), &result, &e);
	call_ends(r);
	g->remote.to_tell = told < 0 && ++g->remote.tries < TELL_TRIES && !r->ends;
	if (told < 0)
		r->rest_us = TROUBLE_US;
}

/* ---- looking */

static bool
waits_for_others(const struct sync_group *g)
{
	return g->remote.turn != 0 && !is_over(g) && (g->state == GROUP_FILLS || g->remote.follows);
}

static bool
has_moved(const struct sync_group *g, const struct meeting_look *seen)
{
	return seen->late || seen->changes != g->remote.changes ||
	    seen->state != (g->state == GROUP_FILLS ? MEETING_FILLS : MEETING_LED);
}

static size_t
count_waiting(const struct remote *r)
{
	size_t count = 0;

	for (const struct sync_group *g = r->first; g != NULL; g = g->remote.next)
		count += waits_for_others(g);
	return count;
}

static void
gather(struct remote *r, struct sync_group **groups, struct meeting_look *list)
{
	size_t count = 0;

	for (struct sync_group *g = r->first; g != NULL; g = g->remote.next)
		if (waits_for_others(g)) {
			g->references++;
			groups[count] = g;
			list[count++] = (struct meeting_look){ .step = name_of(g) };
		}
}

/* Those that have moved are to be visited. */
static void
look_at(struct remote *r, struct sync_group **groups, struct meeting_look *list, size_t count)
{
	struct err e;
	int seen;

	gather(r, groups, list);
	call_begins(r);
	seen = r->meeting->look(r->meeting, list, count, &e);
	call_ends(r);
	r->rest_us = seen < 0 ? TROUBLE_US : r->rest_us * 2 < LOOK_MAX_US ? r->rest_us * 2 : LOOK_MAX_US;
	for (size_t i = 0; i < count && groups[i] != NULL; i++) {
		if (seen == 0 && has_moved(groups[i], &list[i])) {
			groups[i]->remote.due = true;
			r->rest_us = LOOK_MIN_US;
		}
		sync_group_unref(groups[i]);
	}
}

/* Looks at all steps that wait for others. Without memory, the next time. */
static void
look(struct remote *r)
{
	const size_t count = count_waiting(r);
	struct sync_group **groups = count == 0 ? NULL : calloc(count, sizeof(struct sync_group *));
	struct meeting_look *list = count == 0 ? NULL : calloc(count, sizeof(*list));

	if (groups != NULL && list != NULL)
		look_at(r, groups, list, count);
	free(groups);
	free(list);
}

/* ---- the thread */

/* One that has something to do, or is over. NULL: none. */
static struct sync_group *
next_group(const struct remote *r)
{
	struct sync_group *g = r->first;

	while (g != NULL && !g->remote.due && !g->remote.to_tell && !is_over(g))
		g = g->remote.next;
	return g;
}

static void
attend(struct remote *r, struct sync_group *g)
{
	g->references++;
	if (g->remote.to_tell)
		tell(r, g);
	else if (!is_over(g))
		visit(r, g);
	if (is_over(g) && g->remote.listed)
		drop(r, g);
	sync_group_unref(g);
}

static bool
anybody_waits(const struct remote *r)
{
	for (const struct sync_group *g = r->first; g != NULL; g = g->remote.next)
		if (waits_for_others(g) || g->remote.due || g->remote.to_tell)
			return true;
	return false;
}

/* Steps that this daemon has visited are forgotten some time after they have ended, also if it visits no more. */
static void
purge(struct remote *r)
{
	const uint64_t now_us = clock_monotonic_us();

	if (now_us < r->purge_us || r->purge_us > r->left_until_us)
		return;
	call_begins(r);
	r->meeting->purge(r->meeting);
	call_ends(r);
	r->purge_us = clock_monotonic_us() + PURGE_US;
}

static void
rest(struct remote *r)
{
	const bool waits = anybody_waits(r);
	const struct timespec until = clock_timespec(waits ? clock_monotonic_us() + r->rest_us : r->purge_us);

	if (!waits)
		r->rest_us = LOOK_MIN_US;
	pulse_wait();
	if (waits || r->purge_us <= r->left_until_us)
		(void)pthread_cond_timedwait(&r->wake, r->lock, &until);
	else
		pthread_cond_wait(&r->wake, r->lock);
	pulse_work();
}

static void *
attend_all(void *arg)
{
	struct remote *r = arg;
	struct sync_group *g;

	pulse_begin("meeting");
	pthread_mutex_lock(r->lock);
	while (true) {
		while ((g = next_group(r)) != NULL && r->rest_us < TROUBLE_US)
			attend(r, g);
		if (r->ends)
			break;
		rest(r);
		if (r->rest_us >= TROUBLE_US)
			r->rest_us = LOOK_MIN_US;
		look(r);
		purge(r);
	}
	while (r->first != NULL)
		drop(r, r->first);
	pthread_mutex_unlock(r->lock);
	return NULL;
}

int
remote_start(struct remote *r, struct err *e)
{
	int rc;

	r->rest_us = LOOK_MIN_US;
	r->purge_us = clock_monotonic_us() + PURGE_US;
	clock_cond_init(&r->wake);
	rc = pthread_create(&r->thread, NULL, attend_all, r);
	if (rc == 0)
		return 0;
	pthread_cond_destroy(&r->wake);
	return err_fail(e, ERR_OVERLOADED, "the thread of the meeting cannot be started: %s", strerror(rc));
}

void
remote_refuse(struct remote *r, const struct err *err, struct sync_member **list)
{
	for (struct sync_group *g = r->first; g != NULL; g = g->remote.next)
		if (g->remote.follows && !is_over(g))
			fail_group(r, g, err, list);
	pthread_cond_signal(&r->wake);
}

void
remote_end(struct remote *r)
{
	pthread_mutex_lock(r->lock);
	r->ends = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(r->lock);
	pthread_join(r->thread, NULL);
	pthread_cond_destroy(&r->wake);
}
