/*
 * Where the shards of a synchronized step meet, with a thread for each rank: who comes again, who never comes, who leads and fails, and
 * that nobody is forgotten. The pooled numbers themselves are test_pool.c's.
 */
#include "handlers/sync.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "tests/unit/unit.h"

#define LAYER 7
#define PATIENT_MS 60000

/* One rank's call. */
struct rank {
	struct sync *all;
	struct sync_call call;
	struct sync_member member;
	int64_t layer_id;
	bool backward;
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

static void
resume(void *arg)
{
	struct rank *r = arg;

	pthread_mutex_lock(&r->lock);
	r->resumed = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

/* The rank's call with `count` values of two features about `mean`. */
static void
rank_init(struct rank *r, struct sync *all, const char *step, unsigned rank, unsigned world, uint64_t count, double mean)
{
	memset(r, 0, sizeof(*r));
	r->all = all;
	r->layer_id = LAYER;
	r->call = (struct sync_call){ step, rank, world, PATIENT_MS };
	r->mean[0] = mean;
	r->mean[1] = -mean;
	r->var[0] = 1;
	r->var[1] = 2;
	r->sum[0] = rank + 1;
	r->sum[1] = 10;
	r->member.shard = (struct sync_shard){ .count = count, .features = 2, .mean = r->mean, .var = r->var, .limit = 1e30 };
	r->member.resume = resume;
	r->member.arg = r;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->wake, NULL);
}

static void
look(struct rank *r)
{
	const struct sync_result *result = r->member.result;

	r->err = r->member.err;
	if (result == NULL)
		return;
	r->result = *result;
	memcpy(r->result_mean, result->mean, sizeof(r->result_mean));
	memcpy(r->result_var, result->var, sizeof(r->result_var));
	memcpy(r->result_sum, result->sum, sizeof(r->result_sum));
	memcpy(r->result_product, result->product, sizeof(r->result_product));
}

/* A call from its join to its end, as a request does it. */
static void *
run(void *arg)
{
	struct rank *r = arg;

	r->waited = sync_join(r->all, r->layer_id, r->backward, &r->call, &r->member);
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

static void
start(struct rank *r)
{
	ck_assert_int_eq(pthread_create(&r->thread, NULL, run, r), 0);
}

static void
end(struct rank *r)
{
	pthread_join(r->thread, NULL);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->wake);
}

/* All of them at once, each from its join to its end. */
static void
meet(struct rank *ranks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		start(&ranks[i]);
	for (size_t i = 0; i < n; i++)
		end(&ranks[i]);
}

/* Until the rank's call waits. Calls whose order matters are started so. */
static void
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

static struct sync *
sync_new(void)
{
	struct err e;
	struct sync *all = sync_start(&e);

	ck_assert_ptr_nonnull(all);
	return all;
}

static void
sync_end(struct sync *all)
{
	sync_stop(all);
	sync_free(all);
}

/* Both come to a step of two; `leader` is this thread's, and is left with the lead. */
static void
fill_and_lead(struct sync *all, struct rank *other, struct rank *leader)
{
	rank_init(other, all, "1", 0, 2, 4, 1);
	rank_init(leader, all, "1", 1, 2, 4, 3);
	start_and_wait_until_it_waits(other);
	ck_assert(!sync_join(all, LAYER, false, &leader->call, &leader->member));
	ck_assert(leader->member.leads);
}

static void
check_result(const struct rank *r, uint64_t count, double mean, uint64_t batches)
{
	ck_assert_msg(r->err.code == ERR_NONE, "%s", r->err.detail);
	ck_assert_uint_eq(r->result.count, count);
	ck_assert(fabs(r->result_mean[0] - mean) <= 1e-12 && fabs(r->result_mean[1] + mean) <= 1e-12);
	ck_assert_uint_eq(r->result.num_batches_tracked, batches);
	ck_assert_uint_eq(r->result.revision, batches + 100);
}

static unsigned
leaders(const struct rank *ranks, size_t n)
{
	unsigned led = 0;

	for (size_t i = 0; i < n; i++)
		led += ranks[i].led;
	return led;
}

START_TEST(shards_of_any_size)
{
	static const uint64_t counts[] = { 5, 0, 1, 2 };
	struct sync *all = sync_new();
	struct rank r[4];

	for (unsigned i = 0; i < 4; i++) {
		rank_init(&r[i], all, "1", i, 4, counts[i], 10.0 * i);
		r[i].batches = 3;
		r[i].member.shard.padding = i;
		r[i].member.shard.limit = 100 - i;
	}
	meet(r, 4);
	for (unsigned i = 0; i < 4; i++) {
		check_result(&r[i], 8, (20 + 60) / 8.0, 3);
		/* Within and between: (5 1 + 1 1 + 2 1 + 5 10^2 + 1 10^2 + 2 20^2) / 8 about the mean 10. */
		ck_assert(fabs(r[i].result_var[0] - (8 + 500 + 100 + 800) / 8.0) <= 1e-11);
		ck_assert(r[i].result.padding == 3 && r[i].result.limit == 97);
	}
	ck_assert_uint_eq(leaders(r, 4), 1);
	sync_end(all);
}
END_TEST

/* The sums of all, about the pooled mean. */
START_TEST(gradients_are_summed)
{
	struct sync *all = sync_new();
	struct rank r[2];

	for (unsigned i = 0; i < 2; i++) {
		rank_init(&r[i], all, "1", i, 2, 4, i == 0 ? 1 : 3);
		r[i].backward = true;
		r[i].product[0] = 5;
		r[i].member.shard.sum = r[i].sum;
		r[i].member.shard.product = r[i].product;
	}
	meet(r, 2);
	for (unsigned i = 0; i < 2; i++) {
		check_result(&r[i], 8, 2, 0);
		ck_assert(r[i].result_sum[0] == 3 && r[i].result_sum[1] == 20);
		/* 5 + (1 - 2) 1 + 5 + (3 - 2) 2; (-1 + 2) 10 + (-3 + 2) 10 */
		ck_assert(r[i].result_product[0] == 11 && r[i].result_product[1] == 0);
	}
	sync_end(all);
}
END_TEST

/* Before the step is full: the first call is told, the second takes its place. */
START_TEST(who_sends_again_is_replaced)
{
	struct sync *all = sync_new();
	struct rank first, again, other;

	rank_init(&first, all, "1", 0, 2, 4, 100);
	rank_init(&again, all, "1", 0, 2, 4, 1);
	rank_init(&other, all, "1", 1, 2, 4, 3);
	start_and_wait_until_it_waits(&first);
	start_and_wait_until_it_waits(&again);
	end(&first);
	ck_assert_int_eq(first.err.code, ERR_SYNC_INCOMPLETE);
	ck_assert_ptr_nonnull(strstr(first.err.detail, "again"));
	start(&other);
	end(&other);
	end(&again);
	check_result(&other, 8, 2, 0);
	check_result(&again, 8, 2, 0);
	ck_assert(other.led && !again.led);
	sync_end(all);
}
END_TEST

/* After it: the same shard has the same result, and nobody leads; another one is a new step. */
START_TEST(who_sends_again_later_has_the_result)
{
	struct sync *all = sync_new();
	struct rank r[2], again, other, fresh;

	for (unsigned i = 0; i < 2; i++) {
		rank_init(&r[i], all, "1", i, 2, 4, i == 0 ? 1 : 3);
		r[i].batches = 5;
	}
	meet(r, 2);
	for (int times = 0; times < 3; times++) {
		rank_init(&again, all, "1", 0, 2, 4, 1);
		start(&again);
		end(&again);
		ck_assert(!again.waited && !again.led);
		check_result(&again, 8, 2, 5);
	}
	rank_init(&other, all, "1", 0, 2, 4, 2);
	rank_init(&fresh, all, "1", 1, 2, 4, 4);
	start_and_wait_until_it_waits(&other);
	start(&fresh);
	end(&fresh);
	end(&other);
	check_result(&other, 8, 3, 0);
	sync_end(all);
}
END_TEST

/* While the leader is at work: the same shard waits for its word, another one is refused. */
START_TEST(who_sends_again_while_it_is_led)
{
	struct sync *all = sync_new();
	struct rank other, leader, again, wrong;

	fill_and_lead(all, &other, &leader);
	rank_init(&again, all, "1", 0, 2, 4, 1);
	rank_init(&wrong, all, "1", 0, 2, 4, 9);
	start_and_wait_until_it_waits(&again);
	start(&wrong);
	end(&wrong);
	ck_assert(!wrong.waited);
	ck_assert_int_eq(wrong.err.code, ERR_SYNC_INCOMPLETE);
	sync_lead(&leader.member, NULL, 9, 109);
	sync_leave(&leader.member);
	end(&other);
	end(&again);
	check_result(&other, 8, 2, 9);
	check_result(&again, 8, 2, 9);
	sync_end(all);
}
END_TEST

START_TEST(who_never_comes)
{
	const uint64_t began_us = clock_monotonic_us();
	struct sync *all = sync_new();
	struct rank r[2], late;

	for (unsigned i = 0; i < 2; i++) {
		rank_init(&r[i], all, "1", i, 3, 4, 1);
		r[i].call.timeout_ms = 100;
		start(&r[i]);
	}
	for (unsigned i = 0; i < 2; i++) {
		end(&r[i]);
		ck_assert_int_eq(r[i].err.code, ERR_SYNC_INCOMPLETE);
		ck_assert_ptr_nonnull(strstr(r[i].err.detail, "2 of 3"));
	}
	ck_assert_uint_ge(clock_monotonic_us() - began_us, 100000);
	/* Who comes after that begins anew. */
	rank_init(&late, all, "1", 2, 3, 4, 1);
	late.call.timeout_ms = 1;
	start(&late);
	end(&late);
	ck_assert_ptr_nonnull(strstr(late.err.detail, "1 of 3"));
	sync_end(all);
}
END_TEST

/* Steps by other names, of other layers, of the other kind of call: each by itself. */
START_TEST(steps_are_apart)
{
	struct sync *all = sync_new();
	struct rank r[4][2];

	for (unsigned i = 0; i < 2; i++)
		for (unsigned step = 0; step < 4; step++) {
			rank_init(&r[step][i], all, step == 1 ? "2" : "1", i, 2, 4, step);
			r[step][i].layer_id = step == 2 ? LAYER + 1 : LAYER;
			r[step][i].backward = step == 3;
			r[step][i].member.shard.sum = r[step][i].sum;
			r[step][i].member.shard.product = r[step][i].product;
			r[step][i].batches = step;
			start(&r[step][i]);
		}
	for (unsigned step = 0; step < 4; step++) {
		for (unsigned i = 0; i < 2; i++) {
			end(&r[step][i]);
			check_result(&r[step][i], 8, step, step);
		}
		ck_assert_uint_eq(leaders(r[step], 2), 1);
	}
	sync_end(all);
}
END_TEST

START_TEST(sixty_four_ranks)
{
	static struct rank r[2][64];
	struct sync *all = sync_new();

	for (unsigned i = 0; i < 64; i++)
		for (unsigned step = 0; step < 2; step++) {
			rank_init(&r[step][i], all, step == 0 ? "a" : "b", i, 64, i % 3, i);
			start(&r[step][i]);
		}
	for (unsigned step = 0; step < 2; step++) {
		for (unsigned i = 0; i < 64; i++)
			end(&r[step][i]);
		ck_assert_uint_eq(leaders(r[step], 64), 1);
		/* The parts are pooled in the order of their ranks, whoever came first: both steps to the bit. */
		for (unsigned i = 0; i < 64; i++) {
			check_result(&r[step][i], 63, 1995.0 / 63, 0);
			ck_assert(memcmp(r[step][i].result_mean, r[0][0].result_mean, sizeof(r[0][0].result_mean)) == 0);
			ck_assert(memcmp(r[step][i].result_var, r[0][0].result_var, sizeof(r[0][0].result_var)) == 0);
		}
	}
	sync_end(all);
}
END_TEST

START_TEST(worlds_and_features_that_differ)
{
	struct sync *all = sync_new();
	struct rank first, world, features;

	rank_init(&first, all, "1", 0, 2, 4, 1);
	first.call.timeout_ms = 300;
	rank_init(&world, all, "1", 1, 3, 4, 1);
	rank_init(&features, all, "1", 1, 2, 4, 1);
	features.member.shard.features = 1;
	start_and_wait_until_it_waits(&first);
	start(&world);
	start(&features);
	end(&world);
	end(&features);
	ck_assert_int_eq(world.err.code, ERR_BAD_PARAMETER);
	ck_assert_int_eq(features.err.code, ERR_SHAPE_MISMATCH);
	end(&first);
	ck_assert_int_eq(first.err.code, ERR_SYNC_INCOMPLETE);
	sync_end(all);
}
END_TEST

START_TEST(stop_while_some_wait)
{
	struct sync *all = sync_new();
	struct rank r[3], late;

	for (unsigned i = 0; i < 3; i++) {
		rank_init(&r[i], all, i < 2 ? "1" : "2", i, 4, 4, 1);
		start_and_wait_until_it_waits(&r[i]);
	}
	sync_stop(all);
	for (unsigned i = 0; i < 3; i++) {
		end(&r[i]);
		ck_assert_int_eq(r[i].err.code, ERR_SHUTTING_DOWN);
	}
	rank_init(&late, all, "1", 3, 4, 4, 1);
	start(&late);
	end(&late);
	ck_assert_int_eq(late.err.code, ERR_SHUTTING_DOWN);
	sync_free(all);
}
END_TEST

static void *
lead_soon(void *arg)
{
	struct rank *leader = arg;

	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	sync_lead(&leader->member, NULL, 9, 109);
	return NULL;
}

/* A step that is full is finished all the same, and who settles waits until its members have been resumed. */
START_TEST(stop_while_one_leads)
{
	struct sync *all = sync_new();
	struct rank other, leader;
	pthread_t thread;

	fill_and_lead(all, &other, &leader);
	sync_stop(all);
	ck_assert_int_eq(pthread_create(&thread, NULL, lead_soon, &leader), 0);
	sync_settle(all);
	pthread_mutex_lock(&other.lock);
	ck_assert(other.resumed);
	pthread_mutex_unlock(&other.lock);
	pthread_join(thread, NULL);
	sync_leave(&leader.member);
	end(&other);
	check_result(&other, 8, 2, 9);
	sync_free(all);
}
END_TEST

/* Its error is everybody's, and the step may be made anew. */
START_TEST(the_leader_fails)
{
	struct sync *all = sync_new();
	struct rank r[2];

	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 2; i++) {
			rank_init(&r[i], all, "1", i, 2, 4, 1);
			if (round == 0)
				(void)err_set(&r[i].says, ERR_STORAGE_FULL, "no room");
		}
		meet(r, 2);
		ck_assert_uint_eq(leaders(r, 2), 1);
		for (unsigned i = 0; i < 2; i++)
			ck_assert_int_eq(r[i].led || round == 1 ? ERR_NONE : ERR_STORAGE_FULL, r[i].err.code);
	}
	sync_end(all);
}
END_TEST

/* Its request ends before it could tell, as when its client hangs up. */
START_TEST(the_leader_leaves)
{
	struct sync *all = sync_new();
	struct rank other, leader;

	fill_and_lead(all, &other, &leader);
	sync_leave(&leader.member);
	end(&other);
	ck_assert_int_eq(other.err.code, ERR_SYNC_INCOMPLETE);
	sync_end(all);
}
END_TEST

/* Moments that overflow together: the leader has the error at once, and the others too. */
START_TEST(the_whole_batch_overflows)
{
	struct sync *all = sync_new();
	struct rank r[3];

	for (unsigned i = 0; i < 3; i++)
		rank_init(&r[i], all, "1", i, 3, 4, i == 0 ? 1.7e308 : -1.7e308);
	meet(r, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(r[i].err.code, ERR_NON_FINITE_INPUT);
	ck_assert_uint_eq(leaders(r, 3), 0);
	sync_end(all);
}
END_TEST

/* Nothing at all is a step too. */
START_TEST(all_shards_are_empty)
{
	struct sync *all = sync_new();
	struct rank r[3];

	for (unsigned i = 0; i < 3; i++)
		rank_init(&r[i], all, "1", i, 3, 0, 1);
	meet(r, 3);
	for (unsigned i = 0; i < 3; i++)
		check_result(&r[i], 0, 0, 0);
	sync_end(all);
}
END_TEST

/* More steps than are remembered; what is over is freed, as the sanitizers see. */
START_TEST(many_steps)
{
	struct sync *all = sync_new();
	char step[16];
	struct rank r;

	for (unsigned i = 0; i < 3000; i++) {
		(void)snprintf(step, sizeof(step), "%u", i);
		rank_init(&r, all, step, 0, 1, 4, 1);
		r.call.timeout_ms = i % 2 == 0 ? PATIENT_MS : 1;
		r.batches = i;
		(void)run(&r);
		check_result(&r, 4, 1, i);
	}
	/* The last is remembered, the first is not, and is made anew. */
	rank_init(&r, all, "2998", 0, 1, 4, 1);
	(void)run(&r);
	ck_assert(!r.led);
	check_result(&r, 4, 1, 2998);
	rank_init(&r, all, "0", 0, 1, 4, 1);
	(void)run(&r);
	ck_assert(r.led);
	sync_end(all);
}
END_TEST

/* Wide ones: what is remembered of steps is bounded in bytes too, whatever one step needs. */
START_TEST(wide_steps)
{
	static const size_t widths[] = { 100000, 1000000 };

	for (size_t w = 0; w < 2; w++) {
		struct sync *all = sync_new();
		double *zeros = calloc(widths[w], sizeof(*zeros));
		char step[16];
		struct rank r;

		ck_assert_ptr_nonnull(zeros);
		for (unsigned i = 0; i < 10; i++) {
			/* The first five steps, then whether each is made anew: only the last of the narrower ones are remembered. */
			(void)snprintf(step, sizeof(step), "%u", 4 - (i < 5 ? 4 - i : i - 5));
			rank_init(&r, all, step, 0, 1, 4, 1);
			r.member.shard.features = widths[w];
			r.member.shard.mean = r.member.shard.var = zeros;
			(void)run(&r);
			ck_assert_int_eq(r.err.code, ERR_NONE);
			ck_assert(r.led == (i < 5 || w == 1 || i >= 8));
		}
		free(zeros);
		sync_end(all);
	}
}
END_TEST

/* A member that has joined nothing, and a service that was never started. */
START_TEST(nothing_to_leave)
{
	struct sync_member m = { 0 };

	sync_leave(&m);
	sync_free(NULL);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("sync");
	TCase *t = tcase_create("sync");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, shards_of_any_size);
	tcase_add_test(t, gradients_are_summed);
	tcase_add_test(t, who_sends_again_is_replaced);
	tcase_add_test(t, who_sends_again_later_has_the_result);
	tcase_add_test(t, who_sends_again_while_it_is_led);
	tcase_add_test(t, who_never_comes);
	tcase_add_test(t, steps_are_apart);
	tcase_add_test(t, sixty_four_ranks);
	tcase_add_test(t, worlds_and_features_that_differ);
	tcase_add_test(t, stop_while_some_wait);
	tcase_add_test(t, stop_while_one_leads);
	tcase_add_test(t, the_leader_fails);
	tcase_add_test(t, the_leader_leaves);
	tcase_add_test(t, the_whole_batch_overflows);
	tcase_add_test(t, all_shards_are_empty);
	tcase_add_test(t, many_steps);
	tcase_add_test(t, wide_steps);
	tcase_add_test(t, nothing_to_leave);
	suite_add_tcase(s, t);
	return s;
}
