/* SPDX-License-Identifier: MIT */
/*
 * What the tests of synchronized steps share: a rank's call with a thread of its own, from its join to its end, as a
 * request does it, and what it was told.
 */
#pragma once

#include <check.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "sync/sync.h"

#define LAYER 7
#define PATIENT_MS 60000

/* One rank's call. */
struct rank {
	struct sync *all;
	struct sync_call call;
	struct sync_member member;
	double mean[2], var[2], sum[2], product[2];

	/* What a leader says. */
	struct err says;
	uint64_t batches;

	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool resumed, joined;
	bool waited, led;

	/* What was seen, copied before it left. */
	struct err err;
	struct sync_result result;
	double result_mean[2], result_var[2], result_sum[2], result_product[2];
};

static inline void
resume(void *arg)
{
	struct rank *r = arg;

	pthread_mutex_lock(&r->lock);
	r->resumed = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

/* The rank's call with `count` values of two features about `mean`; without any the shard is empty. */
static inline void
rank_init(
    struct rank *r, struct sync *all, const char *step, unsigned rank, unsigned world, uint64_t count, double mean)
{
	memset(r, 0, sizeof(*r));
	r->all = all;
	r->call = (struct sync_call){ LAYER, false, step, rank, world, PATIENT_MS, false, NULL };
	r->mean[0] = mean;
	r->mean[1] = -mean;
	r->var[0] = 1;
	r->var[1] = 2;
	r->sum[0] = rank + 1;
	r->sum[1] = 10;
	r->member.shard =
	    (struct shard){ .moments = { count, r->mean, r->var }, .empty = count == 0, .features = 2, .limit = 1e30 };
	r->member.resume = resume;
	r->member.arg = r;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->wake, NULL);
}

static inline void
look(struct rank *r)
{
	const struct sync_result *result = r->member.result;

	r->err = r->member.err;
	if (result == NULL)
		return;
	r->result = *result;
	memcpy(r->result_mean, result->whole.moments.mean, sizeof(r->result_mean));
	memcpy(r->result_var, result->whole.moments.var, sizeof(r->result_var));
	memcpy(r->result_sum, result->whole.sum, sizeof(r->result_sum));
	memcpy(r->result_product, result->whole.product, sizeof(r->result_product));
}

/* A call from its join to its end, as a request does it. */
static inline void *
run(void *arg)
{
	struct rank *r = arg;

	r->waited = sync_join(r->all, &r->call, &r->member);
	pthread_mutex_lock(&r->lock);
	r->joined = true;
	while (r->waited && !r->resumed)
		pthread_cond_wait(&r->wake, &r->lock);
	pthread_mutex_unlock(&r->lock);
	r->led = r->member.leads;
	look(r);
	if (r->led) {
		sync_lead(&r->member, r->says.code != ERR_NONE ? &r->says : NULL, r->batches, r->batches + 100);
		r->result.num_batches_tracked = r->batches;
		r->result.revision = r->batches + 100;
	}
	sync_leave(&r->member);
	return NULL;
}

static inline void
start(struct rank *r)
{
	ck_assert_int_eq(pthread_create(&r->thread, NULL, run, r), 0);
}

static inline void
end(struct rank *r)
{
	pthread_join(r->thread, NULL);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->wake);
}

/* All of them at once, each from its join to its end. */
static inline void
meet(struct rank *ranks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		start(&ranks[i]);
	for (size_t i = 0; i < n; i++)
		end(&ranks[i]);
}

/* Until the rank's call waits. Calls whose order matters are started so. */
static inline void
start_and_wait_until_it_waits(struct rank *r)
{
	const struct timespec pause = { 0, 200000 };
	bool joined = false;

	start(r);
	while (!joined) {
		nanosleep(&pause, NULL);
		pthread_mutex_lock(&r->lock);
		joined = r->joined;
		pthread_mutex_unlock(&r->lock);
	}
	ck_assert(r->waited);
}

static inline struct sync *
sync_new(void)
{
	const struct sync_limits limits = { NULL, 1000, PATIENT_MS, NULL };
	struct err e;
	struct sync *all = sync_start(&limits, &e);

	ck_assert_ptr_nonnull(all);
	return all;
}

static inline void
sync_end(struct sync *all)
{
	sync_stop(all);
	sync_free(all);
}

/* Both come to a step of two; `leader` is this thread's, and is left with the lead. */
static inline void
fill_and_lead(struct sync *all, struct rank *other, struct rank *leader)
{
	rank_init(other, all, "1", 0, 2, 4, 1);
	rank_init(leader, all, "1", 1, 2, 4, 3);
	start_and_wait_until_it_waits(other);
	ck_assert(!sync_join(all, &leader->call, &leader->member));
	ck_assert(leader->member.leads);
}

static inline void
check_result(const struct rank *r, uint64_t count, double mean, uint64_t batches)
{
	ck_assert_msg(r->err.code == ERR_NONE, "%s", r->err.detail);
	ck_assert_uint_eq(r->result.whole.moments.count, count);
	ck_assert(fabs(r->result_mean[0] - mean) <= 1e-12 && fabs(r->result_mean[1] + mean) <= 1e-12);
	ck_assert_uint_eq(r->result.num_batches_tracked, batches);
	ck_assert_uint_eq(r->result.revision, batches + 100);
}

static inline unsigned
leaders(const struct rank *ranks, size_t n)
{
	unsigned led = 0;

	for (size_t i = 0; i < n; i++)
		led += ranks[i].led;
	return led;
}
