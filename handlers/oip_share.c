/* SPDX-License-Identifier: MIT */
/*
 * The layers of one call, shared among threads. Neighbours of about equally many values together go to a share, which
 * any idle thread may take, and which has a workspace of its own. A very large input belongs to no share: the passes
 * over its values are cut into parts themselves (layer/pass_run.h), by the thread that has the request.
 */
#include "handlers/oip_infer.h"

/* From here on sharing pays: normalizing so many values takes some 100 us, and waking a thread some 10 us. */
#define SHARED_VALUES ((size_t)1 << 17)

/* A share has so many values, unless there are far more of them than threads. */
#define SHARE_VALUES ((size_t)1 << 15)
#define SHARES_PER_THREAD ((size_t)4)

/* norm/cut.h cuts passes from here on. */
#define LARGE_VALUES ((size_t)1 << 20)

struct oip_share {
	struct workspace workspace;
	size_t first, end; /* its layers, but the large ones */
	size_t failed;     /* the first of them that did, with `err`; `end`: none */
	struct err err;
};

static bool
is_large(const struct oip_layer *l)
{
	return l->input->tensor->count >= LARGE_VALUES;
}

/* Layers cost something too, also with no values. */
static size_t
cost(const struct oip_layer *l)
{
	return is_large(l) ? 0 : l->input->tensor->count + 1;
}

static size_t
count_shares(const struct request *rq, size_t total)
{
	const struct crew *crew = rq->workspace.crew;
	size_t most;

	if (crew == NULL || crew->threads < 2 || total < SHARED_VALUES)
		return 0;
	most = SHARES_PER_THREAD * crew->threads;
	return total / SHARE_VALUES < most ? total / SHARE_VALUES : most;
}

static void
open_share(const struct request *rq, struct oip_share *share, size_t first)
{
	struct budget *budget = rq->workspace.memory.budget;

	workspace_init(&share->workspace, budget, budget != NULL ? budget->bytes_max : SIZE_MAX);
	share->workspace.copies = rq->workspace.copies;
	share->first = first;
}

int
oip_share_out(struct request *rq, struct oip *o, struct err *e)
{
	size_t total = 0, taken = 0, shares;

	for (size_t i = 0; i < o->count; i++)
		total += cost(&o->layers[i]);
	shares = o->count < 2 ? 0 : count_shares(rq, total);
	if (shares == 0)
		return 0;
	o->shares = workspace_array(&rq->workspace, shares, sizeof(*o->shares), e);
	if (o->shares == NULL)
		return -1;
	for (size_t i = 0; i < o->count; i++) {
		/* The next share begins where those before have their part of the whole. */
		if (o->share_count < shares && taken >= total / shares * o->share_count)
			open_share(rq, &o->shares[o->share_count++], i);
		o->shares[o->share_count - 1].end = i + 1;
		if (!is_large(&o->layers[i]))
			o->layers[i].call.workspace = &o->shares[o->share_count - 1].workspace;
		taken += cost(&o->layers[i]);
	}
	return 0;
}

/* Calls `step` with layers from `first` to `end`, large or not. Returns the one that failed, or `end`. */
static size_t
run(const struct oip *o, size_t first, size_t end, bool large, oip_step *step, struct err *e)
{
	for (size_t i = first; i < end; i++)
		if (is_large(&o->layers[i]) == large && step(&o->layers[i], e) < 0) {
			(void)oip_name_input(&o->layers[i], e);
			return i;
		}
	return end;
}

/* A round of oip_each. */
struct round {
	const struct oip *o;
	oip_step *step;
};

static void
run_share(void *arg, size_t i)
{
	const struct round *r = arg;
	struct oip_share *s = &r->o->shares[i];

	s->failed = run(r->o, s->first, s->end, false, r->step, &s->err);
}

static int
each_alone(struct oip *o, oip_step *step, struct err *e)
{
	for (size_t i = 0; i < o->count; i++)
		if (step(&o->layers[i], e) < 0)
			return oip_name_input(&o->layers[i], e);
	return 0;
}

int
oip_each(struct request *rq, struct oip *o, oip_step *step, struct err *e)
{
	size_t failed;

	if (o->share_count == 0)
		return each_alone(o, step, e);
	crew_run(rq->workspace.crew, o->share_count, run_share, &(struct round){ o, step });
	failed = run(o, 0, o->count, true, step, e);
	for (size_t i = 0; i < o->share_count && o->shares[i].first < failed; i++)
		if (o->shares[i].failed < o->shares[i].end && o->shares[i].failed < failed) {
			failed = o->shares[i].failed;
			*e = o->shares[i].err;
		}
	return failed < o->count ? -1 : 0;
}

void
oip_rejoin(struct oip *o)
{
	for (size_t i = 0; i < o->share_count; i++)
		workspace_fini(&o->shares[i].workspace);
	o->share_count = 0;
}
