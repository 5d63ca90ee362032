/* SPDX-License-Identifier: MIT */
/*
 * Passes over large tensors in parts (layer/pass_run.h): the bits and the answer of the whole, whoever computes the
 * parts, in any order; a crew is called for large tensors, and for no others.
 */
#include "layer/pass_run.h"

#include <stdlib.h>
#include <string.h>

#include "norm/padding.h"
#include "server/workers.h"
#include "tests/unit/norm_reference.h"
#include "tests/unit/norm_run.h"
#include "tests/unit/unit.h"

#define EPS 1e-5

/* A crew that is one thread, the caller, who begins with the last part, and counts. */
struct backwards {
	struct crew crew;
	size_t calls, parts;
};

static void
run_backwards(struct crew *crew, struct crew_work *work)
{
	struct backwards *b = (struct backwards *)crew;

	b->calls++;
	b->parts += work->count;
	for (size_t i = work->count; i-- > 0;)
		work->part(work->arg, i);
}

/*
 * Large views: long runs; many features or few; columns in one block and in several; one sample; and so few of all that
 * nothing can be cut.
 */
static const struct norm_view large[] = { { 4, 64, 4200 }, { 60, 3, 6000 }, { 1, 3, 360000 }, { 1, 1, 1100000 },
	{ 18000, 64, 1 }, { 1800, 600, 1 }, { 1400, 70, 11 }, { 1, 280000, 4 } };
#define LARGE (sizeof(large) / sizeof(large[0]))

static void *
allocate(size_t n, size_t size)
{
	void *p = calloc(n, size);

	ck_assert_ptr_nonnull(p);
	return p;
}

/* The same tensor twice; all numbers there can be, as many as there are runs or elements of a row. */
struct fixture {
	enum norm_real real;
	struct norm_view view;
	size_t size;
	void *whole, *parts;
	double *weight, *bias, *mean, *rstd;
	double *whole_numbers, *numbers; /* 3 * feature */
};

static struct fixture
fixture_new(enum norm_real real, struct norm_view view)
{
	const size_t runs = view.outer * view.feature, n = runs > view.inner ? runs : view.inner;
	struct fixture f = { .real = real, .view = view, .size = view_size(view) };
	uint64_t seed = 11;

	f.whole = allocate(f.size, norm_real_size(real));
	f.parts = allocate(f.size, norm_real_size(real));
	for (size_t i = 0; i < f.size; i++)
		element_set(real, f.whole, i, 3 + 2 * random_unit(&seed));
	memcpy(f.parts, f.whole, f.size * norm_real_size(real));
	f.weight = allocate(n, sizeof(double));
	f.bias = allocate(n, sizeof(double));
	f.mean = allocate(n, sizeof(double));
	f.rstd = allocate(n, sizeof(double));
	for (size_t i = 0; i < n; i++) {
		f.weight[i] = 1 + random_unit(&seed);
		f.bias[i] = random_unit(&seed);
		f.mean[i] = 3 + random_unit(&seed);
		f.rstd[i] = 1 + random_unit(&seed) / 8;
	}
	f.whole_numbers = allocate(3 * view.feature, sizeof(double));
	f.numbers = allocate(3 * view.feature, sizeof(double));
	return f;
}

static void
fixture_free(const struct fixture *f)
{
	void *const all[] = { f->whole, f->parts, f->weight, f->bias, f->mean, f->rstd, f->whole_numbers, f->numbers };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free(all[i]);
}

static void
check_alike(const struct fixture *f, const char *what)
{
	ck_assert_msg(memcmp(f->whole, f->parts, f->size * norm_real_size(f->real)) == 0 &&
		memcmp(f->whole_numbers, f->numbers, 3 * f->view.feature * sizeof(double)) == 0,
	    "%s of (%zu,%zu,%zu), type %d, differs", what, f->view.outer, f->view.feature, f->view.inner, (int)f->real);
}

/* A pass with all that any operation takes. */
static struct norm_pass
pass_of(const struct fixture *f, const struct norm_op *op)
{
	return (struct norm_pass){ .op = op,
		.real = f->real,
		.view = f->view,
		.eps = EPS,
		.limit = 0.5,
		.groups = f->view.feature % 4 == 0 ? 4 : 1,
		.centered = true,
		.by = { f->mean, f->rstd, f->weight, f->bias } };
}

/* Where a pass writes: the whole, or the parts. */
static struct norm_pass
to(struct norm_pass pass, void *tensor, double *numbers, size_t n)
{
	pass.x = pass.x != NULL ? pass.x : tensor;
	pass.y = tensor;
	pass.mean = pass.grad_weight = numbers;
	pass.var = pass.grad_bias = numbers + n;
	pass.rstd = numbers + 2 * n;
	return pass;
}

/* One pass, without a crew and with it, and that both return the same. */
static void
check(struct crew *crew, const struct fixture *f, const char *what, struct norm_pass pass)
{
	const struct norm_pass whole = to(pass, f->whole, f->whole_numbers, f->view.feature);
	const struct norm_pass parts = to(pass, f->parts, f->numbers, f->view.feature);

	ck_assert(pass_run(NULL, &whole));
	ck_assert(pass_run(crew, &parts));
	check_alike(f, what);
}

/* Every third position is padding, or so. */
static void
check_packing(struct crew *crew, struct fixture *f)
{
	const struct norm_view v = f->view;
	const size_t positions = norm_view_count(v), bytes = f->size * norm_real_size(f->real);
	unsigned char *keep = allocate(positions, 1), *packed[2] = { allocate(bytes, 1), allocate(bytes, 1) };
	unsigned char *unpacked[2] = { allocate(bytes, 1), allocate(bytes, 1) };
	size_t *start = allocate(v.outer + 1, sizeof(*start));
	const struct padding p = { v, keep, v.outer, v.outer / 2 + 1, start };
	uint64_t seed = 17;

	for (size_t i = 0; i < positions; i++)
		keep[i] = random_unit(&seed) > 0.3;
	padding_starts(keep, v.outer, v.inner, start);
	for (int i = 0; i < 2; i++) {
		struct norm_pass pass = pass_of(f, &norm_pack);

		pass.padding = &p;
		pass.x = f->whole;
		pass.y = packed[i];
		ck_assert(pass_run(i == 0 ? NULL : crew, &pass));
		pass.op = &norm_unpack;
		pass.x = packed[0];
		pass.y = unpacked[i];
		ck_assert(pass_run(i == 0 ? NULL : crew, &pass));
	}
	ck_assert_mem_eq(packed[1], packed[0], bytes);
	ck_assert_mem_eq(unpacked[1], unpacked[0], bytes);
	free(keep);
	free(start);
	for (int i = 0; i < 2; i++) {
		free(packed[i]);
		free(unpacked[i]);
	}
}

/* Every pass forward. */
static void
check_passes(struct crew *crew, struct fixture *f)
{
	const struct norm_view runs = { 1, f->view.outer * f->view.feature, f->view.inner };
	struct norm_pass by_sample = pass_of(f, &norm_by_sample), rows = pass_of(f, &norm_rows);

	check_packing(crew, f);
	by_sample.by.bias = NULL;
	rows.view = runs;
	check(crew, f, "norm_moments", pass_of(f, &norm_moments));
	check(crew, f, "norm_batch", pass_of(f, &norm_batch));
	check(crew, f, "norm_by_feature", pass_of(f, &norm_by_feature));
	check(crew, f, "norm_by_sample", by_sample);
	check(crew, f, "norm_groups", pass_of(f, &norm_groups));
	check(crew, f, "norm_rows", rows);
	rows.op = &norm_rows_by;
	check(crew, f, "norm_rows_by", rows);
	check(crew, f, "norm_clip", pass_of(f, &norm_clip));
}

/* A pass whose gradients by weight and bias, `n` of each, are more numbers than the fixture has room for. */
static void
check_bands(struct crew *crew, struct fixture *f, const char *what, struct norm_pass pass, size_t n)
{
	double *a = allocate(3 * n, sizeof(*a)), *b = allocate(3 * n, sizeof(*b));
	const struct norm_pass whole = to(pass, f->whole, a, n), parts = to(pass, f->parts, b, n);

	ck_assert(pass_run(NULL, &whole));
	ck_assert(pass_run(crew, &parts));
	check_alike(f, what);
	ck_assert_mem_eq(a, b, 2 * n * sizeof(*a));
	free(a);
	free(b);
}

/* The sums over all samples and rows. Rows have one size each, so that there are as many numbers as the fixture has. */
static void
check_own(struct crew *crew, struct fixture *f, const void *x)
{
	const struct norm_view v = f->view;
	const size_t rows = v.outer * (v.feature > v.inner ? v.inner : 1);
	struct norm_pass pass = pass_of(f, &norm_groups_backward);

	pass.x = x;
	pass.eps = 1;
	pass.groups = v.feature;
	pass.scratch = allocate(pass.op->scratch(pass.view), sizeof(double));
	check_bands(crew, f, "norm_groups_backward", pass, v.feature);
	free(pass.scratch);
	pass.op = &norm_rows_backward;
	pass.view = (struct norm_view){ 1, rows, f->size / rows };
	pass.by.weight = NULL;
	pass.scratch = allocate(pass.op->scratch(pass.view), sizeof(double));
	check_bands(crew, f, "norm_rows_backward", pass, pass.view.inner);
	free(pass.scratch);
}

/*
 * Likewise backward; what is normalized stands for the gradient. The means are such that some are near 0 for the
 * deviation, some are not.
 */
static void
check_backward(struct crew *crew, struct fixture *f)
{
	const size_t n = f->view.feature, bytes = f->size * norm_real_size(f->real);
	struct norm_pass pass = pass_of(f, &norm_batch_backward);
	void *x = allocate(bytes, 1);

	memcpy(x, f->whole, bytes);
	for (size_t i = 0; i < n; i++)
		f->mean[i] = 3 * f->bias[i];
	pass.x = x;
	pass.count = norm_view_count(f->view);
	pass.scratch = allocate(pass.op->scratch(pass.view), sizeof(double));
	check(crew, f, "norm_batch_backward", pass);
	pass.op = &norm_sums;
	check(crew, f, "norm_sums", pass);
	pass.op = &norm_shard_backward;
	pass.count *= 2;
	pass.by.weight = NULL;
	pass.sum = f->whole_numbers + n;
	pass.product = f->whole_numbers;
	check(crew, f, "norm_shard_backward", pass);
	free(pass.scratch);
	check_own(crew, f, x);
	free(x);
}

START_TEST(large_ones_in_parts)
{
	for (size_t p = 0; p < LARGE; p++) {
		struct fixture f = fixture_new(reals[_i], large[p]);
		struct backwards b = { .crew = { .threads = 3, .run = run_backwards } };

		ck_assert_uint_ge(f.size, CUT_FROM);
		check_passes(&b.crew, &f);
		ck_assert_uint_ge(b.calls, 8);
		ck_assert_uint_ge(b.parts, 4 * 8); /* four of the passes can always be cut */
		b.calls = 0;
		check_backward(&b.crew, &f);
		ck_assert_uint_ge(b.calls, 3);
		fixture_free(&f);
	}
}
END_TEST

/* The same with threads, which begin at the same time and end when they do. */
START_TEST(large_ones_by_threads)
{
	struct err e = { 0 };
	struct workers *w = workers_start(3, &e);

	ck_assert_ptr_nonnull(w);
	for (size_t p = 0; p < LARGE; p++) {
		struct fixture f = fixture_new(NORM_FLOAT, large[p]);

		check_passes(workers_crew(w), &f);
		check_backward(workers_crew(w), &f);
		fixture_free(&f);
	}
	workers_free(w);
}
END_TEST

/* Nobody is called, and nothing is counted, for fewer elements: one fewer will do. */
START_TEST(small_ones_never)
{
	static const struct norm_view small[] = { { 1, 1, 1 }, { 8, 16, 1 }, { 32, 64, 196 }, { 1, 1, CUT_FROM - 1 },
		{ CUT_FROM / 8 - 1, 8, 1 }, { 7, CUT_FROM / 7, 1 } };

	for (size_t p = 0; p < sizeof(small) / sizeof(small[0]); p++) {
		struct fixture f = fixture_new(NORM_FLOAT, small[p]);
		struct backwards b = { .crew = { .threads = 3, .run = run_backwards } };

		ck_assert_uint_lt(f.size, CUT_FROM);
		check_passes(&b.crew, &f);
		check_backward(&b.crew, &f);
		ck_assert_uint_eq(b.calls, 0);
		fixture_free(&f);
	}
}
END_TEST

START_TEST(one_thread_alone_never)
{
	struct fixture f = fixture_new(NORM_FLOAT, large[0]);
	struct backwards b = { .crew = { .threads = 1, .run = run_backwards } };

	check_passes(&b.crew, &f);
	ck_assert_uint_eq(b.calls, 0);
	fixture_free(&f);
}
END_TEST

/*
 * One value that is not finite, in the first part, in the last, is told of whatever part it is in; and without a crew.
 */
START_TEST(what_is_not_finite_is_told)
{
	const struct norm_view v = { 16, 32, 2100 };

	for (int last = 0; last < 2; last++)
		for (int with = 0; with < 2; with++) {
			struct fixture f = fixture_new(NORM_FLOAT, v);
			struct backwards b = { .crew = { .threads = 3, .run = run_backwards } };
			struct crew *crew = with ? &b.crew : NULL;
			static const struct norm_op *const ops[] = { &norm_by_feature, &norm_by_sample, &norm_rows_by,
				&norm_groups, &norm_rows, &norm_batch };

			for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
				struct norm_pass pass = to(pass_of(&f, ops[i]), f.parts, f.numbers, v.feature);

				if (ops[i] == &norm_rows || ops[i] == &norm_rows_by)
					pass.view = (struct norm_view){ 1, 512, 2100 };
				pass.by.weight = pass.by.bias = NULL;
				memcpy(f.parts, f.whole, f.size * sizeof(float));
				element_set(
				    f.real, f.parts, last ? f.size - 1 : 0, ops[i] == &norm_batch ? NAN : INFINITY);
				ck_assert(!pass_run(crew, &pass));
			}
			ck_assert_uint_eq(b.calls, with ? 6 : 0);
			fixture_free(&f);
		}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("pass_run");
	TCase *t = tcase_create("pass_run");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, large_ones_in_parts, 0, REALS);
	tcase_add_test(t, large_ones_by_threads);
	tcase_add_test(t, small_ones_never);
	tcase_add_test(t, one_thread_alone_never);
	tcase_add_test(t, what_is_not_finite_is_told);
	suite_add_tcase(s, t);
	return s;
}
