/* SPDX-License-Identifier: MIT */
/*
 * A synchronized step whose leader's request ends, for its client is gone, when its update is stored: the other rank is
 * told of it.
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handlers/claims.h"
#include "handlers/definition_stored.h"
#include "handlers/request.h"
#include "handlers/request_memory.h"
#include "handlers/routes.h"
#include "sync/sync.h"
#include "storage/store.h"
#include "tests/unit/unit.h"

#define BODY_MAX_BYTES ((size_t)1 << 20)

static char directory[64], url[128];
static struct store *store;
static struct claims *claims;
static struct sync *all;
static struct budget memory;

/* A request without a connection. */
struct call {
	struct request rq;
	sem_t done;
};

static void
setup(void)
{
	struct store_options options = {
		.url = url, .queue_max = 16, .cache_bytes_max = 1 << 20, .definitions = definition_ops
	};
	struct err e = { 0 };

	snprintf(directory, sizeof(directory), "/tmp/normd-leader-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(url, sizeof(url), "sqlite:%s/store.db", directory);
	budget_init(&memory, (size_t)64 << 20);
	store = store_open(&options, &e);
	ck_assert_msg(store != NULL, "%s", e.detail);
	claims = claims_new();
	ck_assert_ptr_nonnull(claims);
	all = sync_start(&(const struct sync_limits){ &memory, 8, 60000, NULL }, &e);
	ck_assert_msg(all != NULL, "%s", e.detail);
}

static void
teardown(void)
{
	sync_stop(all);
	sync_free(all);
	store_close(store);
	claims_free(claims);
	ck_assert_uint_eq(memory.bytes, 0);
	unlink(url + strlen("sqlite:"));
	rmdir(directory);
}

static void
begin(struct call *c, const char *method, const char *const *path, size_t segments, const char *body)
{
	struct buf allow;
	size_t taken;
	struct err e = { 0 };

	buf_init(&allow, 1000);
	sem_init(&c->done, 0, 0);
	request_init(&c->rq, store, claims, all, &memory, BODY_MAX_BYTES);
	ck_assert_msg(routes_find(&c->rq, method, path, segments, &allow, &e) == 0, "%s", e.detail);
	ck_assert_int_eq(request_admit(&c->rq, 0, &e), 0);
	ck_assert_msg(request_body(&c->rq, body, strlen(body), &taken) == 0, "%s", c->rq.err.detail);
	buf_fini(&allow);
}

static void
end(struct call *c)
{
	request_fini(&c->rq);
	sem_destroy(&c->done);
}

static void
stored(struct store_op *op)
{
	sem_post(op->done_arg);
}

static void
resumed(void *arg)
{
	sem_post(arg);
}

/* What the store is asked for is done when this returns. */
static void
ask_store(struct call *c)
{
	struct err e = { 0 };

	c->rq.op.done = stored;
	c->rq.op.done_arg = &c->done;
	ck_assert_int_eq(store_submit(store, &c->rq.op, &e), 0);
	sem_wait(&c->done);
}

/* Makes steps until the request is done, joins the others, or writes: which is not done. */
static enum request_next
run(struct call *c)
{
	enum request_next next;

	while ((next = request_step(&c->rq, true)) == REQUEST_STORE && c->rq.op.kind != STORE_CHANGE)
		ask_store(c);
	return next;
}

static void
begin_rank(struct call *c, unsigned rank)
{
	static const char *const path[] = { "v1", "models", "m", "layers", "bn", "train" };
	char body[200];

	snprintf(body, sizeof(body), "{\"data\":[[%u],[2]],\"sync\":{\"step\":\"1\",\"rank\":%u,\"world_size\":2}}",
	    rank, rank);
	begin(c, "POST", path, 6, body);
	ck_assert_int_eq(run(c), REQUEST_SYNC);
}

START_TEST(a_leader_that_is_gone_has_told)
{
	static const char *const path[] = { "v1", "models", "m", "layers", "bn" };
	struct call layer, leader, other;

	begin(&layer, "PUT", path, 5, "{\"kind\":\"batch_norm\",\"num_features\":1}");
	ck_assert_int_eq(run(&layer), REQUEST_STORE);
	ask_store(&layer);
	ck_assert_int_eq(run(&layer), REQUEST_DONE);
	ck_assert_int_eq(layer.rq.err.code, ERR_NONE);
	end(&layer);

	begin_rank(&other, 0);
	begin_rank(&leader, 1);
	ck_assert(request_join(&other.rq, resumed, &other.done));
	ck_assert(!request_join(&leader.rq, resumed, &leader.done));
	ck_assert_int_eq(run(&leader), REQUEST_STORE);
	ask_store(&leader);
	end(&leader);
	sem_wait(&other.done);
	ck_assert_int_eq(run(&other), REQUEST_DONE);
	ck_assert_msg(other.rq.err.code == ERR_NONE, "%s", other.rq.err.detail);
	ck_assert_uint_eq(other.rq.reply.num_batches_tracked, 1);
	end(&other);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("sync_leader");
	TCase *t = tcase_create("sync_leader");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_leader_that_is_gone_has_told);
	suite_add_tcase(s, t);
	return s;
}
