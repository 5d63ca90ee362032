/* SPDX-License-Identifier: MIT */
/*
 * Work in parts (norm/cut.h): however it is cut, the bits of the whole, for each function that may be cut, each type of
 * element, and where the loops see the part, each set of vector instructions.
 */
#include "norm/cut.h"

#include <stdlib.h>
#include <string.h>

#include "norm/backward.h"
#include "norm/kernels/kernels.h"
#include "norm/moments.h"
#include "norm/normalize.h"
#include "tests/unit/norm_reference.h"
#include "tests/unit/unit.h"

#define EPS 1e-5

/*
 * Long runs and short ones; one block of columns whose steps hold one or several indices of outer, several blocks, a
 * last one that is narrower; one sample, one feature, one element.
 */
static const struct norm_view views[] = { { 7, 5, 40 }, { 2, 3, 257 }, { 1, 8, 16 }, { 3, 1, 700 }, { 1, 1, 1 },
	{ 1, 600, 3 }, { 70, 600, 1 }, { 9, 90, 4 }, { 300, 3, 1 }, { 40, 64, 1 }, { 20, 24, 15 }, { 5, 12, 2 } };
#define VIEWS (sizeof(views) / sizeof(views[0]))

static void *
allocate(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	ck_assert_ptr_nonnull(p);
	return p;
}

/* A tensor that is normalized in parts beside one that is normalized whole, with numbers for each element at most. */
struct fixture {
	enum norm_real real;
	struct norm_view view;
	size_t size, bytes;
	void *x, *whole, *parts;
	double *weight, *bias, *mean, *rstd; /* `size` each */
	double *whole_numbers, *numbers;     /* 3 * feature each: mean, var, rstd */
	double *scratch;                     /* likewise */
};

static double *
deviates(size_t n, double mean, uint64_t *seed)
{
	double *values = allocate(n, sizeof(*values));

	for (size_t i = 0; i < n; i++)
		values[i] = mean + random_deviate(seed) / 4;
	return values;
}

static struct fixture
fixture_new(enum norm_real real, struct norm_view view)
{
	struct fixture f = { .real = real, .view = view, .size = view_size(view) };
	uint64_t seed = 11;

	f.bytes = f.size * norm_real_size(real);
	f.x = allocate(f.bytes, 1);
	f.whole = allocate(f.bytes, 1);
	f.parts = allocate(f.bytes, 1);
	for (size_t i = 0; i < f.size; i++) {
		element_set(real, f.x, i, random_deviate(&seed));
		element_set(real, f.whole, i, 3 + random_deviate(&seed));
	}
	memcpy(f.parts, f.whole, f.bytes);
	f.weight = deviates(f.size, 1, &seed);
	f.bias = deviates(f.size, 0, &seed);
	f.mean = deviates(f.size, 3, &seed);
	f.rstd = deviates(f.size, 1, &seed);
	f.whole_numbers = allocate(3 * view.feature, sizeof(double));
	f.numbers = allocate(3 * view.feature, sizeof(double));
	f.scratch = allocate(3 * view.feature, sizeof(double));
	return f;
}

static void
fixture_free(const struct fixture *f)
{
	void *const all[] = { f->x, f->whole, f->parts, f->weight, f->bias, f->mean, f->rstd, f->whole_numbers,
		f->numbers, f->scratch };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free(all[i]);
}

static void
check_alike(const struct fixture *f, const char *what, size_t parts)
{
	ck_assert_msg(memcmp(f->whole, f->parts, f->bytes) == 0 &&
		memcmp(f->whole_numbers, f->numbers, 3 * f->view.feature * sizeof(double)) == 0,
	    "%s of (%zu,%zu,%zu), type %d, differs in %zu parts", what, f->view.outer, f->view.feature, f->view.inner,
	    (int)f->real, parts);
}

/* Has `part` called for all parts of `count` things, the last ones first. */
static void
each_part(
    struct fixture *f, size_t count, size_t step, size_t parts, void (*part)(struct fixture *f, struct norm_part part))
{
	for (size_t i = parts; i-- > 0;)
		part(f, cut_part(count, step, parts, i));
}

static void *
at(const struct fixture *f, size_t element)
{
	return (unsigned char *)f->parts + element * norm_real_size(f->real);
}

/*
 * The parts cover all, in order, each begins at a multiple of the step, none is empty, none much larger than another.
 */
START_TEST(parts_cover_all)
{
	static const size_t steps[] = { 1, 2, 7, 64, 1000 };

	for (size_t count = 1; count < 300; count += 1 + count / 9)
		for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++)
			for (size_t parts = 1; parts <= cut_most(count, steps[s]); parts++) {
				size_t before = 0, least = count, most = 0;

				for (size_t i = 0; i < parts; i++) {
					const struct norm_part p = cut_part(count, steps[s], parts, i);

					ck_assert_uint_eq(p.first, before);
					ck_assert_uint_eq(p.first % steps[s], 0);
					ck_assert_uint_gt(p.end, p.first);
					before = p.end;
					if (i + 1 == parts)
						continue;
					least = p.end - p.first < least ? p.end - p.first : least;
					most = p.end - p.first > most ? p.end - p.first : most;
				}
				ck_assert_uint_eq(before, count);
				ck_assert(parts == 1 || most - least <= steps[s]);
			}
	ck_assert_uint_eq(cut_most(SIZE_MAX, 2), SIZE_MAX / 2 + 1);
}
END_TEST

/* Long runs are cut anywhere, columns where their blocks end. */
START_TEST(steps_are_blocks)
{
	ck_assert_uint_eq(cut_step((struct norm_view){ 32, 64, 3136 }), 1);
	ck_assert_uint_eq(cut_step((struct norm_view){ 1, 64, 16 }), 1);
	ck_assert_uint_eq(cut_step((struct norm_view){ 100, 64, 1 }), 64);
	ck_assert_uint_eq(cut_step((struct norm_view){ 100, 600, 1 }), 256);
	ck_assert_uint_eq(cut_step((struct norm_view){ 100, 600, 4 }), 64);
}
END_TEST

/* The loops themselves, of each set: all numbers of parts that there can be. */
static void
check_kernels(const struct kernels_of_real *k, struct fixture *f)
{
	const struct norm_view v = f->view;
	const size_t n = v.feature, step = cut_step(v);
	double *a = f->whole_numbers, *b = f->numbers;

	for (size_t parts = 1; parts <= cut_most(n, step); parts++) {
		k->moments(f->whole, v, a, a + n);
		for (size_t i = 0; i < parts; i++) {
			const struct norm_part p = cut_part(n, step, parts, i);

			k->moments_part(f->parts, v, p.first, p.end, b, NULL, b + n);
		}
		check_alike(f, "moments_part", parts);
		k->batch_part(f->whole, v, 0, n, EPS, f->weight, f->bias, a, a + n, a + 2 * n);
		for (size_t i = 0; i < parts; i++) {
			const struct norm_part p = cut_part(n, step, parts, i);

			ck_assert(
			    k->batch_part(f->parts, v, p.first, p.end, EPS, f->weight, f->bias, b, b + n, b + 2 * n));
		}
		check_alike(f, "batch_part", parts);
	}
}

START_TEST(kernels_of_each_set)
{
	const struct kernels *k;

	for (size_t s = 0; (k = kernels_usable(s)) != NULL; s++)
		for (size_t p = 0; p < VIEWS; p++) {
			struct fixture f = fixture_new(reals[_i], views[p]);

			check_kernels(k->of[reals[_i]], &f);
			fixture_free(&f);
		}
}
END_TEST

static void
part_moments(struct fixture *f, struct norm_part part)
{
	moments_part(f->real, f->parts, f->view, part, f->numbers, f->numbers + f->view.feature);
}

static void
part_batch(struct fixture *f, struct norm_part part)
{
	double *numbers = f->numbers;

	ck_assert(normalize_batch_part(f->real, f->parts, f->view, part, EPS, f->weight, NULL, numbers,
	    numbers + f->view.feature, numbers + 2 * f->view.feature));
}

START_TEST(by_features)
{
	for (size_t p = 0; p < VIEWS; p++) {
		struct fixture f = fixture_new(reals[_i], views[p]);
		const size_t n = f.view.feature, step = cut_step(f.view);
		double *whole = f.whole_numbers;

		for (size_t parts = 1; parts <= cut_most(n, step); parts++) {
			moments(f.real, f.whole, f.view, whole, whole + n);
			each_part(&f, n, step, parts, part_moments);
			check_alike(&f, "moments", parts);
			ck_assert(normalize_batch(
			    f.real, f.whole, f.view, EPS, f.weight, NULL, whole, whole + n, whole + 2 * n));
			each_part(&f, n, step, parts, part_batch);
			check_alike(&f, "normalize_batch", parts);
		}
		fixture_free(&f);
	}
}
END_TEST

/* Backward, where f->x went in and the tensors are gradients; the numbers are those by weight and bias. */
static void
part_backward(struct fixture *f, struct norm_part part)
{
	double *numbers = f->numbers;

	ck_assert(backward_by_feature_part(f->real, f->x, f->parts, f->view, part, norm_view_count(f->view), f->bias,
	    f->rstd, f->weight, numbers, numbers + f->view.feature, f->scratch));
}

static void
part_coefficients(struct fixture *f, struct norm_part part)
{
	const struct norm_view some = { part.end - part.first, f->view.feature, f->view.inner };
	const size_t first = part.first * f->view.feature * f->view.inner;

	ck_assert(backward_by_coefficients(f->real, (unsigned char *)f->x + first * norm_real_size(f->real),
	    at(f, first), some, f->bias, f->rstd, f->scratch));
}

/* Again and again backward it would overflow. */
static void
gradient_anew(struct fixture *f)
{
	memcpy(f->whole, f->x, f->bytes);
	memcpy(f->parts, f->x, f->bytes);
}

/* By features, sums and all; and once there are sums, by indices of outer. */
START_TEST(backward_by_features_and_outer)
{
	for (size_t p = 0; p < VIEWS; p++) {
		struct fixture f = fixture_new(reals[_i], views[p]);
		const size_t n = f.view.feature, step = cut_step(f.view), values = norm_view_count(f.view);
		double *whole = f.whole_numbers;

		for (size_t parts = 1; parts <= cut_most(n, step); parts++) {
			gradient_anew(&f);
			ck_assert(backward_by_feature(f.real, f.x, f.whole, f.view, values, f.bias, f.rstd, f.weight,
			    whole, whole + n, f.scratch));
			each_part(&f, n, step, parts, part_backward);
			check_alike(&f, "backward_by_feature", parts);
		}
		for (size_t parts = 1; parts <= columns_min(f.view.outer, 9); parts++) {
			gradient_anew(&f);
			ck_assert(backward_by_sums(f.real, f.x, f.whole, f.view, values, f.bias, f.rstd, f.weight,
			    whole, whole + n, f.scratch));
			each_part(&f, f.view.outer, 1, parts, part_coefficients);
			check_alike(&f, "backward_by_coefficients", parts);
		}
		fixture_free(&f);
	}
}
END_TEST

static void
part_by_feature(struct fixture *f, struct norm_part part)
{
	ck_assert(normalize_by_feature_part(f->real, f->parts, f->view, part, f->mean, f->rstd, f->weight, f->bias));
}

static void
part_by_sample(struct fixture *f, struct norm_part part)
{
	ck_assert(normalize_by_sample_part(f->real, f->parts, f->view, part, f->mean, f->rstd, NULL, f->bias));
}

static void
part_clip(struct fixture *f, struct norm_part part)
{
	normalize_clip(f->real, at(f, part.first), part.end - part.first, 1.5);
}

/* At any element: within runs, between them, within samples, over several. */
START_TEST(by_elements)
{
	static const size_t numbers[] = { 1, 2, 3, 7, 64, 500 };

	for (size_t p = 0; p < VIEWS; p++)
		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && numbers[i] <= view_size(views[p]); i++) {
			struct fixture f = fixture_new(reals[_i], views[p]);

			ck_assert(normalize_by_feature(f.real, f.whole, f.view, f.mean, f.rstd, f.weight, f.bias));
			each_part(&f, f.size, 1, numbers[i], part_by_feature);
			check_alike(&f, "normalize_by_feature", numbers[i]);
			ck_assert(normalize_by_sample(f.real, f.whole, f.view, f.mean, f.rstd, NULL, f.bias));
			each_part(&f, f.size, 1, numbers[i], part_by_sample);
			check_alike(&f, "normalize_by_sample", numbers[i]);
			normalize_clip(f.real, f.whole, f.size, 1.5);
			each_part(&f, f.size, 1, numbers[i], part_clip);
			check_alike(&f, "normalize_clip", numbers[i]);
			fixture_free(&f);
		}
}
END_TEST

static void
part_rows(struct fixture *f, struct norm_part part)
{
	const size_t size = f->view.inner;

	ck_assert(normalize_rows(
	    f->real, at(f, part.first * size), part.end - part.first, size, true, EPS, f->weight, f->bias));
}

static void
part_rms(struct fixture *f, struct norm_part part)
{
	const size_t size = f->view.inner;

	ck_assert(normalize_rows(
	    f->real, at(f, part.first * size), part.end - part.first, size, false, EPS, f->weight, NULL));
}

static void
part_rows_by(struct fixture *f, struct norm_part part)
{
	const size_t size = f->view.inner;

	ck_assert(normalize_rows_by(f->real, at(f, part.first * size), part.end - part.first, size,
	    f->mean + part.first, f->rstd + part.first, f->weight, f->bias));
}

START_TEST(by_rows)
{
	static const struct norm_view rows[] = { { 1, 1, 5 }, { 1, 200, 48 }, { 1, 35, 40 }, { 1, 150, 1 },
		{ 1, 5, 5000 } };

	for (size_t p = 0; p < sizeof(rows) / sizeof(rows[0]); p++)
		for (size_t parts = 1; parts <= rows[p].feature; parts += 1 + parts / 2) {
			struct fixture f = fixture_new(reals[_i], rows[p]);
			const size_t n = f.view.feature, size = f.view.inner;

			ck_assert(normalize_rows(f.real, f.whole, n, size, true, EPS, f.weight, f.bias));
			each_part(&f, n, 1, parts, part_rows);
			check_alike(&f, "normalize_rows", parts);
			ck_assert(normalize_rows(f.real, f.whole, n, size, false, EPS, f.weight, NULL));
			each_part(&f, n, 1, parts, part_rms);
			check_alike(&f, "normalize_rows without mean", parts);
			ck_assert(normalize_rows_by(f.real, f.whole, n, size, f.mean, f.rstd, f.weight, f.bias));
			each_part(&f, n, 1, parts, part_rows_by);
			check_alike(&f, "normalize_rows_by", parts);
			fixture_free(&f);
		}
}
END_TEST

/* Groups of one channel, of several, of more than fit on the stack at once, of all. */
static const struct grouped {
	struct norm_view view;
	size_t groups;
} grouped[] = { { { 3, 6, 40 }, 6 }, { { 3, 6, 40 }, 2 }, { { 2, 600, 1 }, 2 }, { { 2, 600, 3 }, 600 },
	{ { 5, 12, 7 }, 1 }, { { 2, 4, 9000 }, 4 }, { { 1, 520, 30 }, 1 } };

/* normalize_groups() by its definition: the moments of each group, given to its channels. */
static void
groups_one_by_one(struct fixture *f, size_t groups)
{
	const size_t in_group = f->view.feature / groups, size = in_group * f->view.inner;
	unsigned char *x = f->whole;
	double mean, rstd;

	for (size_t g = 0; g < f->view.outer * groups; g++, x += size * norm_real_size(f->real)) {
		moments(f->real, x, (struct norm_view){ 1, 1, size }, &mean, &rstd);
		normalize_rstd(&rstd, EPS, 1, &rstd);
		for (size_t c = 0; c < in_group; c++)
			ck_assert(normalize_by_feature(f->real, x + c * f->view.inner * norm_real_size(f->real),
			    (struct norm_view){ 1, 1, f->view.inner }, &mean, &rstd,
			    f->weight + g % groups * in_group + c, f->bias + g % groups * in_group + c));
	}
}

START_TEST(by_groups)
{
	for (size_t p = 0; p < sizeof(grouped) / sizeof(grouped[0]); p++) {
		const size_t groups = grouped[p].groups, n = grouped[p].view.outer * groups;

		for (size_t parts = 1; parts <= n; parts += 1 + parts / 2) {
			struct fixture f = fixture_new(reals[_i], grouped[p].view);

			groups_one_by_one(&f, groups);
			for (size_t i = 0; i < parts; i++)
				ck_assert(normalize_groups_part(
				    f.real, f.parts, f.view, groups, cut_part(n, 1, parts, i), EPS, f.weight, f.bias));
			check_alike(&f, "normalize_groups_part", parts);
			ck_assert(normalize_groups(f.real, f.whole, f.view, groups, EPS, NULL, NULL));
			ck_assert(normalize_groups_part(
			    f.real, f.parts, f.view, groups, (struct norm_part){ 0, n }, EPS, NULL, NULL));
			check_alike(&f, "normalize_groups", 1);
			fixture_free(&f);
		}
	}
}
END_TEST

/* What is not finite shows in its part alone. */
START_TEST(infinite_where_it_is)
{
	const struct norm_view v = { 4, 6, 20 };
	struct fixture f = fixture_new(reals[_i], v);
	double *n = f.numbers;

	element_set(f.real, f.parts, 2 * 20 + 3, INFINITY); /* sample 0, feature 2 */
	ck_assert(
	    normalize_by_feature_part(f.real, f.parts, v, (struct norm_part){ 0, 43 }, f.mean, f.rstd, NULL, NULL));
	ck_assert(
	    !normalize_by_feature_part(f.real, f.parts, v, (struct norm_part){ 43, 44 }, f.mean, f.rstd, NULL, NULL));
	ck_assert(
	    normalize_by_sample_part(f.real, f.parts, v, (struct norm_part){ 44, 480 }, f.mean, f.rstd, NULL, NULL));
	ck_assert(normalize_groups_part(f.real, f.parts, v, 6, (struct norm_part){ 3, 24 }, EPS, NULL, NULL));
	ck_assert(
	    normalize_batch_part(f.real, f.parts, v, (struct norm_part){ 3, 6 }, EPS, NULL, NULL, n, n + 6, n + 12));
	ck_assert(
	    !normalize_batch_part(f.real, f.parts, v, (struct norm_part){ 2, 3 }, EPS, NULL, NULL, n, n + 6, n + 12));
	fixture_free(&f);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("cut");
	TCase *t = tcase_create("cut");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, parts_cover_all);
	tcase_add_test(t, steps_are_blocks);
	tcase_add_loop_test(t, kernels_of_each_set, 0, REALS);
	tcase_add_loop_test(t, by_features, 0, REALS);
	tcase_add_loop_test(t, backward_by_features_and_outer, 0, REALS);
	tcase_add_loop_test(t, by_elements, 0, REALS);
	tcase_add_loop_test(t, by_rows, 0, REALS);
	tcase_add_loop_test(t, by_groups, 0, REALS);
	tcase_add_loop_test(t, infinite_where_it_is, 0, REALS);
	suite_add_tcase(s, t);
	return s;
}
