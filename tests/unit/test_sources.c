/* SPDX-License-Identifier: MIT */
/*
 * Sources of a layer: its statistics have the same bits however its sources came to their totals, and what is refused
 * leaves no trace.
 */
#include "tests/unit/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/gate.h"
#include "tests/unit/scratch_store.h"

#define FEATURES 5
#define NAMES 24
#define ROUTES 5
#define STEPS_MAX 12 /* of one name, and of the part without a source */
#define BATCH_MAX 40
#define WIDE long double

/* How exact the pool is: means and deviations are of size 1. */
#define TOLERANCE 4e-15L

struct totals {
	uint64_t count;
	double mean[FEATURES], var[FEATURES];
};

/* A write to the layer, with what it points to, and how it must be answered. */
struct step {
	struct store_op op;
	struct store_write write;
	struct totals totals;
	struct moments moments;
	struct update updates[2];
	const char *names[2];
	char name[16];
	enum err_code code;
};

/* The steps of one name, which must keep their order; "" has those of the part without a source. */
struct sequence {
	struct step steps[STEPS_MAX];
	unsigned count, done;
};

static uint64_t state;

/* splitmix64 */
static uint64_t
chance(uint64_t n)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % n;
}

static double
real(void)
{
	return (double)chance((uint64_t)1 << 53) * 0x1p-53;
}

static struct totals
make_totals(uint64_t count)
{
	struct totals t = { .count = count };

	for (size_t i = 0; i < FEATURES; i++) {
		t.mean[i] = 2 * real() - 1;
		t.var[i] = count == 1 ? 0 : real();
	}
	return t;
}

static struct step *
add_step(struct sequence *q, enum store_write_kind kind, const char *name)
{
	struct step *s = &q->steps[q->count++];

	ck_assert_uint_le(q->count, STEPS_MAX);
	*s = (struct step){ .write = { .kind = kind, .model = "m", .layer = "l" } };
	snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

static void
add_put(struct sequence *q, const char *name, unsigned ddof, const struct totals *t)
{
	struct step *s = add_step(q, STORE_SOURCE_PUT, name);

	s->totals = *t;
	s->write.source.features = FEATURES;
	s->write.source.ddof = ddof;
}

static void
add_update(struct sequence *q, const char *name, unsigned ddof, const struct totals *t, size_t count)
{
	struct step *s = add_step(q, STORE_UPDATE, name);

	s->totals = *t;
	s->write.updates.count = count;
	s->updates[0].ddof = ddof;
}

static void
add_delete(struct sequence *q, const char *name, unsigned ddof)
{
	add_step(q, STORE_SOURCE_DELETE, name)->write.source.ddof = ddof;
}

static int
refuse(void *arg, const struct snapshot *after, struct err *e)
{
	(void)arg;
	ck_assert_ptr_nonnull(after->statistics.mean);
	return err_fail(e, ERR_NON_FINITE_INPUT, "not accepted");
}

/* A step that is refused, about a source that has `count` values, or that there is not. */
static void
add_refused(struct sequence *q, const char *name, unsigned ddof, bool exists, uint64_t count)
{
	struct totals t = make_totals(count + 5);
	struct step *s;

	switch (chance(5)) {
	case 0:
		add_update(q, name, ddof, &t, 2);
		s = &q->steps[q->count - 1];
		s->write.updates.accept = refuse;
		s->code = ERR_NON_FINITE_INPUT;
		break;
	case 1:
		add_put(q, name, ddof, &t);
		s = &q->steps[q->count - 1];
		s->write.source.features = FEATURES - 1;
		s->code = ERR_SHAPE_MISMATCH;
		break;
	case 2:
		add_delete(q, name, ddof);
		s = &q->steps[q->count - 1];
		s->write.precondition =
		    (struct store_precondition){ .present = true, .count = 1, .revisions = { UINT64_MAX } };
		s->code = ERR_REVISION_MISMATCH;
		break;
	case 3:
		t.mean[3] = NAN;
		add_update(q, name, ddof, &t, 1);
		q->steps[q->count - 1].code = ERR_NON_FINITE_INPUT;
		break;
	default:
		if (exists && count > 0) {
			t.count = count - 1;
			add_put(q, name, ddof, &t);
			q->steps[q->count - 1].code = ERR_SOURCE_WENT_BACK;
		} else if (!exists) {
			add_delete(q, name, ddof);
			q->steps[q->count - 1].code = ERR_NO_SUCH_SOURCE;
		}
	}
}

/* Any way to the totals `final`; to none if it is NULL. */
static void
make_sequence(struct sequence *q, const char *name, unsigned ddof, const struct totals *final)
{
	bool exists = false;
	struct totals t = { 0 };

	*q = (struct sequence){ 0 };
	for (uint64_t i = chance(5); i > 0; i--) {
		const uint64_t what = chance(4);

		if (what == 0) {
			add_refused(q, name, ddof, exists, t.count);
		} else if (what == 1 && exists) {
			add_delete(q, name, ddof);
			exists = false;
			t.count = 0;
		} else if (what == 2) {
			const uint64_t before = t.count;

			t = make_totals(1 + chance(9));
			add_update(q, name, ddof, &t, 1);
			exists = true;
			t.count += before;
		} else {
			t = make_totals(t.count + chance(20));
			add_put(q, name, ddof, &t);
			exists = true;
		}
	}
	/* From nothing, an update is the totals. */
	const bool by_update = final != NULL && final->count > 0 && chance(2) == 0;

	if (exists && (final == NULL || by_update || t.count > final->count))
		add_delete(q, name, ddof);
	if (by_update)
		add_update(q, name, ddof, final, 1);
	else if (final != NULL)
		add_put(q, name, ddof, final);
	if (final != NULL && chance(3) == 0)
		add_put(q, name, ddof, final);
}

/* What the part without a source gets, always in this order; two sources are folded into it. */
static void
make_part(struct sequence *q, unsigned ddof, const struct totals *given)
{
	struct step *s;

	*q = (struct sequence){ 0 };
	add_update(q, "", ddof, &given[0], 1);
	add_put(q, "folded1", ddof, &given[1]);
	add_update(q, "", ddof, &given[2], 2);
	add_put(q, "folded2", ddof, &given[3]);
	s = add_step(q, STORE_SOURCES_FOLD, "");
	s->write.fold.count = 2;
	s->write.fold.ddof = ddof;
	add_update(q, "", ddof, &given[4], 1);
}

static void
point(struct step *s)
{
	struct store_write *w = &s->write;

	s->moments = (struct moments){ s->totals.count, s->totals.mean, s->totals.var };
	s->op.change = (struct store_change){ .writes = w, .count = 1 };
	s->op.kind = STORE_CHANGE;
	switch (w->kind) {
	case STORE_UPDATE:
		for (int i = 0; i < 2; i++)
			s->updates[i] = (struct update){ .averaging = AVERAGING_POOLED,
				.ddof = s->updates[0].ddof,
				.count = s->totals.count,
				.features = FEATURES,
				.mean = s->totals.mean,
				.var = s->totals.var };
		w->updates.list = s->updates;
		w->updates.source = s->name[0] != '\0' ? s->name : NULL;
		break;
	case STORE_SOURCES_FOLD:
		s->names[0] = "folded2";
		s->names[1] = "folded1";
		w->fold.names = s->names;
		break;
	default:
		w->source.name = s->name;
		w->source.totals = &s->moments;
	}
}

struct run {
	struct store *store;
	uint64_t revision, batches;
};

/* Some steps at once, each answered as it must be. */
static void
run_batch(struct run *r, struct step **steps, unsigned count)
{
	struct gate gate;
	struct store_op stop = gate_init(&gate);

	scratch_submit(r->store, &stop);
	sem_wait(&gate.reached);
	for (unsigned i = 0; i < count; i++) {
		point(steps[i]);
		scratch_submit(r->store, &steps[i]->op);
	}
	sem_post(&gate.open);
	scratch_wait(count);
	store_op_fini(&stop);
	gate_fini(&gate);
	for (unsigned i = 0; i < count; i++) {
		const struct step *s = steps[i];

		ck_assert_msg(s->op.err.code == s->code, "%d \"%s\": %d, not %d: %s", s->write.kind, s->name,
		    s->op.err.code, s->code, s->op.err.detail);
		if (s->code != ERR_NONE)
			continue;
		r->batches += s->write.kind == STORE_UPDATE ? s->write.updates.count : 0;
		ck_assert_uint_eq(s->write.result.revision, ++r->revision);
		ck_assert_uint_eq(s->write.result.num_batches_tracked, r->batches);
	}
}

/* All sequences, mixed by chance, in batches of any size, the store closed and opened in between. */
static void
run_all(struct run *r, struct sequence *sequences, unsigned count)
{
	struct step *batch[BATCH_MAX];
	unsigned left = count, n = 0;

	while (left > 0) {
		const unsigned size = 1 + (unsigned)chance(chance(2) == 0 ? 3 : BATCH_MAX);

		for (n = 0; n < size && left > 0;) {
			struct sequence *q = &sequences[chance(left)], swap;

			if (q->done < q->count) {
				batch[n++] = &q->steps[q->done++];
				continue;
			}
			/* Steps that wait in this batch must stay where they are. */
			if (n > 0)
				break;
			swap = *q;
			*q = sequences[--left];
			sequences[left] = swap;
		}
		if (n > 0)
			run_batch(r, batch, n);
		if (chance(10) == 0) {
			store_close(r->store);
			r->store = scratch_open();
		}
	}
}

/* The exact pool. */
static void
pool_exactly(const struct totals *all, size_t count, size_t f, unsigned ddof, WIDE *mean, WIDE *var)
{
	WIDE n = 0, sum = 0, m2 = 0;

	for (size_t i = 0; i < count; i++) {
		n += (WIDE)all[i].count;
		sum += (WIDE)all[i].count * (WIDE)all[i].mean[f];
	}
	*mean = sum / n;
	for (size_t i = 0; i < count; i++) {
		const WIDE delta = (WIDE)all[i].mean[f] - *mean;

		m2 += (WIDE)all[i].count * ((WIDE)all[i].var[f] + delta * delta);
	}
	*var = m2 / (n - (WIDE)ddof);
}

static bool
same(const double *a, const double *b)
{
	return memcmp(a, b, FEATURES * sizeof(double)) == 0;
}

START_TEST(statistics_have_the_same_bits_by_every_route)
{
	const unsigned ddof = _i % 2;
	static struct sequence sequences[NAMES + 1];
	struct totals finals[NAMES], given[5], all[NAMES + 7];
	double mean[FEATURES], var[FEATURES];
	size_t count = 0;

	state = (uint64_t)_i;
	for (unsigned i = 0; i < NAMES; i++) {
		finals[i] = make_totals(i % 5 == 0 ? chance(2) : 100 + chance(1000));
		if (i % 7 != 0)
			all[count++] = finals[i];
	}
	for (unsigned i = 0; i < 5; i++) {
		given[i] = make_totals(2 + chance(100));
		all[count++] = given[i];
	}
	all[count++] = given[2]; /* its update is applied twice */
	for (unsigned route = 0; route < ROUTES; route++) {
		struct run r = { .store = scratch_open() };
		const struct snapshot *l;

		(void)scratch_write(r.store,
		    (struct store_write){ .kind = STORE_LAYER_CREATE,
			.create = { .definition = "d", .features = route % 2 == 0 ? 0 : 5 } });
		for (unsigned i = 0; i < NAMES; i++) {
			char name[16];

			snprintf(name, sizeof(name), "w%u", i);
			make_sequence(&sequences[i], name, ddof, i % 7 != 0 ? &finals[i] : NULL);
		}
		make_part(&sequences[NAMES], ddof, given);
		if (route % 2 == 0) /* the features are fixed by the first that is taken */
			run_batch(&r, &(struct step *){ &sequences[NAMES].steps[sequences[NAMES].done++] }, 1);
		run_all(&r, sequences, NAMES + 1);
		l = scratch_layer(r.store, "l");
		ck_assert_uint_eq(l->revision, r.revision);
		ck_assert_uint_eq(l->statistics.num_batches_tracked, r.batches);
		ck_assert_uint_eq(l->sources, NAMES - (NAMES + 6) / 7);
		if (route == 0) {
			memcpy(mean, l->statistics.mean, sizeof(mean));
			memcpy(var, l->statistics.var, sizeof(var));
		}
		ck_assert_msg(same(mean, l->statistics.mean) && same(var, l->statistics.var), "route %u", route);
		for (size_t f = 0; f < FEATURES; f++) {
			WIDE exact_mean, exact_var;

			pool_exactly(all, count, f, ddof, &exact_mean, &exact_var);
			ck_assert(fabsl(mean[f] - exact_mean) < TOLERANCE);
			ck_assert(fabsl(var[f] - exact_var) < TOLERANCE * exact_var);
		}
		snapshot_unref(l);
		store_close(r.store);
		ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
		r.store = scratch_open();
		(void)scratch_write(r.store, (struct store_write){ .kind = STORE_LAYER_DELETE });
		store_close(r.store);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("sources");
	TCase *t = tcase_create("sources");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_add_loop_test(t, statistics_have_the_same_bits_by_every_route, 0, scratch_rounds(10));
	suite_add_tcase(s, t);
	return s;
}
