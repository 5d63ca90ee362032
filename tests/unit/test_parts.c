/* SPDX-License-Identifier: MIT */
/*
 * Passes over large tensors in parts (layer/parts.h): the bits and the answer of the whole, whoever does the parts, in
 * whatever order; a crew is called for large tensors, and for no others.
 */
#include "layer/parts.h"

#include <stdlib.h>
#include <string.h>

#include "norm/backward.h"
#include "norm/padding.h"
#include "norm/moments.h"
#include "norm/normalize.h"
#include "server/workers.h"
#include "tests/unit/norm_reference.h"
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

/* Every third position is padding, or so. */
static void
check_packing(struct crew *crew, struct fixture *f)
{
	const struct norm_view v = f->view;
	const size_t positions = norm_view_count(v), bytes = f->size * norm_real_size(f->real);
	unsigned char *keep = allocate(positions, 1), *whole = allocate(bytes, 1), *parts = allocate(bytes, 1);
	unsigned char *unpacked = allocate(bytes, 1), *in_parts = allocate(bytes, 1);
	size_t *start = allocate(v.outer + 1, sizeof(*start));
	struct padding p = { v, keep, v.outer, v.outer / 2 + 1, start };
	uint64_t seed = 17;

	for (size_t i = 0; i < positions; i++)
		keep[i] = random_unit(&seed) > 0.3;
	padding_starts(keep, v.outer, v.inner, start);
	padding_pack(f->real, &p, (struct norm_part){ 0, padding_parts(&p) }, f->whole, whole);
	parts_pack(crew, f->real, &p, f->whole, parts);
	ck_assert_mem_eq(parts, whole, bytes);
	padding_unpack(f->real, &p, (struct norm_part){ 0, padding_parts(&p) }, whole, unpacked);
	parts_unpack(crew, f->real, &p, whole, in_parts);
	ck_assert_mem_eq(in_parts, unpacked, bytes);
	free(keep);
	free(start);
	free(whole);
	free(parts);
	free(unpacked);
	free(in_parts);
}

/* Every pass, whole and with the crew, and that both return the same. */
static void
check_passes(struct crew *crew, struct fixture *f)
{
	const struct norm_view v = f->view;
	const size_t n = v.feature, runs = v.outer * v.feature, groups = n % 4 == 0 ? 4 : 1;
	double *a = f->whole_numbers, *b = f->numbers;

	check_packing(crew, f);
	moments(f->real, f->whole, v, a, a + n);
	parts_moments(crew, f->real, f->parts, v, b, b + n);
	check_alike(f, "moments");
	ck_assert(normalize_batch(f->real, f->whole, v, EPS, f->weight, f->bias, a, a + n, a + 2 * n));
	ck_assert(parts_normalize_batch(crew, f->real, f->parts, v, EPS, f->weight, f->bias, b, b + n, b + 2 * n));
	check_alike(f, "normalize_batch");
	ck_assert(normalize_by_feature(f->real, f->whole, v, f->mean, f->rstd, f->weight, f->bias));
	ck_assert(parts_normalize_by_feature(crew, f->real, f->parts, v, f->mean, f->rstd, f->weight, f->bias));
	check_alike(f, "normalize_by_feature");
	ck_assert(normalize_by_sample(f->real, f->whole, v, f->mean, f->rstd, f->weight, NULL));
	ck_assert(parts_normalize_by_sample(crew, f->real, f->parts, v, f->mean, f->rstd, f->weight, NULL));
	check_alike(f, "normalize_by_sample");
	ck_assert(normalize_groups(f->real, f->whole, v, groups, EPS, f->weight, f->bias));
	ck_assert(parts_normalize_groups(crew, f->real, f->parts, v, groups, EPS, f->weight, f->bias));
	check_alike(f, "normalize_groups");
	ck_assert(normalize_rows(f->real, f->whole, runs, v.inner, true, EPS, f->weight, f->bias));
	ck_assert(parts_normalize_rows(crew, f->real, f->parts, runs, v.inner, true, EPS, f->weight, f->bias));
	check_alike(f, "normalize_rows");
	ck_assert(normalize_rows_by(f->real, f->whole, runs, v.inner, f->mean, f->rstd, f->weight, f->bias));
	ck_assert(
	    parts_normalize_rows_by(crew, f->real, f->parts, runs, v.inner, f->mean, f->rstd, f->weight, f->bias));
	check_alike(f, "normalize_rows_by");
	normalize_clip(f->real, f->whole, f->size, 0.5);
	parts_normalize_clip(crew, f->real, f->parts, f->size, 0.5);
	check_alike(f, "normalize_clip");
}

/*
 * The sums over all samples and rows. Of rows of one size each, so that there are as many numbers as the fixture has.
 */
static void
check_bands(struct crew *crew, struct fixture *f, const void *x)
{
	const struct norm_view v = f->view;
	const size_t n = v.feature, rows = v.outer * (n > v.inner ? v.inner : 1), size = f->size / rows;
	const size_t doubles = size > n ? size : n;
	double *scratch = allocate(8 * BACKWARD_GROUPS_SCRATCH * doubles, sizeof(*scratch));
	double *a = allocate(2 * doubles, sizeof(*a)), *b = allocate(2 * doubles, sizeof(*b));

	ck_assert(backward_groups(f->real, x, f->whole, v, n, 1, f->weight, a, a + n, scratch));
	ck_assert(parts_backward_groups(crew, f->real, x, f->parts, v, n, 1, f->weight, b, b + n, scratch));
	check_alike(f, "backward_groups");
	ck_assert_mem_eq(a, b, 2 * n * sizeof(*a));
	ck_assert(backward_rows(f->real, x, f->whole, rows, size, true, 1, NULL, a, a + size, scratch));
	ck_assert(parts_backward_rows(crew, f->real, x, f->parts, rows, size, true, 1, NULL, b, b + size, scratch));
	check_alike(f, "backward_rows");
	ck_assert_mem_eq(a, b, 2 * size * sizeof(*a));
	free(scratch);
	free(a);
	free(b);
}

/*
 * Likewise backward; what is normalized stands for the gradient. The means are such that some are near 0 for the
 * deviation, some are not.
 */
static void
check_backward(struct crew *crew, struct fixture *f)
{
	const struct norm_view v = f->view;
	const size_t n = v.feature, values = norm_view_count(v);
	double *a = f->whole_numbers, *b = f->numbers, *scratch = allocate(3 * n, sizeof(*scratch));
	void *x = allocate(f->size, norm_real_size(f->real));

	memcpy(x, f->whole, f->size * norm_real_size(f->real));
	for (size_t i = 0; i < n; i++)
		f->mean[i] = 3 * f->bias[i];
	ck_assert(backward_by_feature(f->real, x, f->whole, v, values, f->mean, f->rstd, f->weight, a, a + n, scratch));
	ck_assert(parts_backward_by_feature(
	    crew, f->real, x, f->parts, v, values, f->mean, f->rstd, f->weight, b, b + n, scratch));
	check_alike(f, "backward_by_feature");
	backward_sums(f->real, x, f->whole, v, f->mean, f->rstd, a, a + n);
	parts_backward_sums(crew, f->real, x, f->parts, v, f->mean, f->rstd, b, b + n);
	check_alike(f, "backward_sums");
	ck_assert(backward_by_sums(f->real, x, f->whole, v, 2 * values, f->mean, f->rstd, NULL, a, a + n, scratch));
	ck_assert(parts_backward_by_sums(
	    crew, f->real, x, f->parts, v, 2 * values, f->mean, f->rstd, NULL, b, b + n, scratch));
	check_alike(f, "backward_by_sums");
	free(scratch);
	check_bands(crew, f, x);
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
			double *n = f.numbers;

			element_set(f.real, f.parts, last ? f.size - 1 : 0, INFINITY);
			ck_assert(!parts_normalize_by_feature(crew, f.real, f.parts, v, f.mean, f.rstd, NULL, NULL));
			ck_assert(!parts_normalize_by_sample(crew, f.real, f.parts, v, f.mean, f.rstd, NULL, NULL));
			ck_assert(
			    !parts_normalize_rows_by(crew, f.real, f.parts, 512, 2100, f.mean, f.rstd, NULL, NULL));
			ck_assert(!parts_normalize_groups(crew, f.real, f.parts, v, 4, EPS, NULL, NULL));
			memcpy(f.parts, f.whole, f.size * sizeof(float));
			element_set(f.real, f.parts, last ? f.size - 1 : 0, INFINITY);
			ck_assert(!parts_normalize_rows(crew, f.real, f.parts, 512, 2100, true, EPS, NULL, NULL));
			memcpy(f.parts, f.whole, f.size * sizeof(float));
			element_set(f.real, f.parts, last ? f.size - 1 : 0, NAN);
			ck_assert(!parts_normalize_batch(crew, f.real, f.parts, v, EPS, NULL, NULL, n, n + 32, n + 64));
			ck_assert_uint_eq(b.calls, with ? 6 : 0);
			fixture_free(&f);
		}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("parts");
	TCase *t = tcase_create("parts");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, large_ones_in_parts, 0, REALS);
	tcase_add_test(t, large_ones_by_threads);
	tcase_add_test(t, small_ones_never);
	tcase_add_test(t, one_thread_alone_never);
	tcase_add_test(t, what_is_not_finite_is_told);
	suite_add_tcase(s, t);
	return s;
}
