/* SPDX-License-Identifier: MIT */
/*
 * Every kind's forward pass against one plain reference, and what the kinds are to each other: instance normalization
 * is group normalization with a group per channel, and so on.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/norm_reference.h"
#include "tests/unit/norm_run.h"
#include "tests/unit/unit.h"

#define EPS 1e-5

/* A tensor, a copy to keep, parameters for as many positions as a sample has, and room for the moments of any kind. */
struct fixture {
	enum norm_real real;
	struct family_shape shape;
	size_t bytes;
	unsigned char *x;
	unsigned char *before;
	double *weight;
	double *bias;
	double *mean;
	double *rstd;
};

static void *
allocate(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	ck_assert_ptr_nonnull(p);
	return p;
}

static struct fixture
fixture_new(enum norm_real real, struct family_shape shape, double mean, double deviation)
{
	const size_t size = family_size(shape), sample = shape.c * shape.s;
	struct fixture f = { .real = real, .shape = shape, .bytes = size * norm_real_size(real) };
	uint64_t seed = size + sample + shape.groups;
	size_t i;

	/* One element more than the tensor, so that it can be moved to where it lies badly. */
	f.x = allocate(size + 1, norm_real_size(real));
	f.before = allocate(size + 1, norm_real_size(real));
	f.weight = allocate(sample, sizeof(double));
	f.bias = allocate(sample, sizeof(double));
	f.mean = allocate(size, sizeof(double));
	f.rstd = allocate(size, sizeof(double));
	for (i = 0; i < size; i++)
		element_set(real, f.x, i, mean + deviation * random_deviate(&seed));
	memcpy(f.before, f.x, f.bytes);
	for (i = 0; i < sample; i++) {
		f.weight[i] = random_deviate(&seed);
		f.bias[i] = random_deviate(&seed);
	}
	return f;
}

static void
fixture_free(struct fixture *f)
{
	free(f->x);
	free(f->before);
	free(f->weight);
	free(f->bias);
	free(f->mean);
	free(f->rstd);
}

/* One kind's forward pass over x, which has the fixture's shape. */
static bool
forward(enum family kind, struct fixture *f, void *x, double eps, const double *weight, const double *bias)
{
	const struct family_shape s = f->shape;
	const struct norm_view view = { s.n, s.c, s.s };

	switch (kind) {
	case FAMILY_BATCH:
		run_moments(f->real, x, view, f->mean, f->rstd);
		normalize_rstd(f->rstd, eps, s.c, f->rstd);
		return run_by(&norm_by_feature, f->real, x, view, (struct norm_by){ f->mean, f->rstd, weight, bias });
	case FAMILY_INSTANCE:
	case FAMILY_GROUP:
		return run_groups(f->real, x, view, kind == FAMILY_GROUP ? s.groups : s.c, eps, affine(weight, bias));
	default:
		return run_rows(f->real, x, s.n, s.c * s.s, kind == FAMILY_LAYER, eps, affine(weight, bias));
	}
}

/*
 * What a slice's error is measured by: its largest |y|, the largest sum of what y is made of, the factor that x - mean
 * takes.
 */
struct sizes {
	WIDE largest;
	WIDE reach;
	double scale;
};

/*
 * Off by at most one unit in the last place of the slice's largest |y|. Double has no wider type to be computed in: a
 * few roundings of its own terms, and the mean's. Of the 16-bit types only the correctly rounded result will do.
 */
static double
bound(enum norm_real real, const struct sizes *s, double mean)
{
	if (norm_real_size(real) == sizeof(uint16_t))
		return 0;
	return real == NORM_DOUBLE ? 4 * ulp(real, (double)s->reach) + 4 * ulp(real, mean) * s->scale :
				     ulp(real, (double)s->largest);
}

static void
check_slice(
    enum family kind, const struct fixture *f, size_t slice, double eps, const double *weight, const double *bias)
{
	struct sizes sizes = { 0 };
	WIDE mean, var, y, error = 0;
	double limit;
	size_t at;

	family_moments(kind, f->shape, f->real, f->before, slice, &mean, &var);
	for (at = 0; at < family_size(f->shape); at++) {
		const size_t p = family_parameter(kind, f->shape, at);
		const double w = weight != NULL ? weight[p] : 1, b = bias != NULL ? bias[p] : 0;

		if (family_slice(kind, f->shape, at) != slice)
			continue;
		y = (element_get(f->real, f->before, at) - mean) / wide_sqrt(var + eps) * w;
		sizes.reach = wide_max(sizes.reach, wide_abs(y) + fabs(b));
		y += b;
		sizes.largest = wide_max(sizes.largest, wide_abs(y));
		sizes.scale = fmax(sizes.scale, fabs(w) / (double)wide_sqrt(var + eps));
		error = wide_max(error, wide_abs((WIDE)element_get(f->real, f->x, at) - rounded(f->real, y)));
	}
	limit = bound(f->real, &sizes, (double)mean);
	ck_assert_msg(error <= limit,
	    "kind %d, type %d, shape (%zu,%zu,%zu), %zu groups: off by %g where %g is allowed", (int)kind, (int)f->real,
	    f->shape.n, f->shape.c, f->shape.s, f->shape.groups, (double)error, limit);
}

static void
check(enum family kind, enum norm_real real, struct family_shape shape, double mean, double deviation, double eps,
    int with)
{
	struct fixture f = fixture_new(real, shape, mean, deviation);
	const double *weight = with & 1 ? f.weight : NULL, *bias = with & 2 ? f.bias : NULL;
	size_t slice;

	ck_assert(forward(kind, &f, f.x, eps, weight, bias));
	for (slice = 0; slice < family_slices(kind, shape); slice++)
		check_slice(kind, &f, slice, eps, weight, bias);
	fixture_free(&f);
}

START_TEST(every_small_shape)
{
	struct family_shape s;
	int kind, with;

	for (kind = 0; kind < FAMILIES; kind++)
		for (s.n = 1; s.n <= 4; s.n++)
			for (s.c = 1; s.c <= 4; s.c++)
				for (s.s = 1; s.s <= 4; s.s++)
					for (s.groups = 1; s.groups <= s.c; s.groups++)
						for (with = 0; with < 4; with++)
							if (s.c % s.groups == 0)
								check(
								    (enum family)kind, reals[_i], s, 0.5, 1, EPS, with);
}
END_TEST

/* Odd sizes, and those around the lengths of runs, columns, chunks and blocks of rows. */
START_TEST(edges_of_blocks)
{
	static const struct family_shape shapes[] = { { 3, 6, 15, 3 }, { 3, 6, 16, 2 }, { 2, 6, 17, 3 }, { 5, 9, 1, 3 },
		{ 2, 256, 1, 4 }, { 2, 257, 1, 257 }, { 2, 258, 1, 2 }, { 1, 130, 3, 13 }, { 2, 4, 255, 2 },
		{ 2, 2, 257, 1 }, { 1, 3, 511, 3 }, { 2, 2, 513, 1 }, { 70, 4, 7, 2 }, { 1, 2, 2049, 1 },
		{ 65, 5, 1, 5 } };
	size_t i;
	int kind, with;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		for (kind = 0; kind < FAMILIES; kind++)
			for (with = 0; with < 4; with += 3)
				check((enum family)kind, reals[_i], shapes[i], -0.25, 2, EPS, with);
}
END_TEST

/* Means far above the deviation, which E[x^2] - E[x]^2 would not survive; the 16-bit types only hold smaller ones. */
START_TEST(large_means)
{
	static const struct family_shape shape = { 8, 6, 40, 3 }, narrow = { 60, 6, 1, 3 };
	static const double means[REALS][2] = { { 1e5, -1e6 }, { 1e5, 1e8 }, { 1e3, -3e4 }, { 200, -1e3 } };
	size_t i;
	int kind;

	for (i = 0; i < 2; i++)
		for (kind = 0; kind < FAMILIES; kind++) {
			check((enum family)kind, reals[_i], shape, means[_i][i], 1, EPS, 3);
			check((enum family)kind, reals[_i], narrow, means[_i][i], 1, EPS, 3);
		}
}
END_TEST

/* float32 at mean 1e8 holds multiples of 8 only: the deviation is 20 of those. */
START_TEST(large_mean_of_few_values)
{
	int kind;

	for (kind = 0; kind < FAMILIES; kind++)
		check((enum family)kind, NORM_FLOAT, (struct family_shape){ 8, 6, 40, 3 }, 1e8, 160, EPS, 3);
}
END_TEST

START_TEST(tiny_and_huge)
{
	static const struct family_shape shape = { 3, 4, 20, 2 };
	int kind;

	if (reals[_i] == NORM_HALF)
		return; /* holds neither */
	for (kind = 0; kind < FAMILIES; kind++) {
		check((enum family)kind, reals[_i], shape, 0, 1e30, EPS, 3);
		check((enum family)kind, reals[_i], shape, 0, 1e-30, EPS, 0);
		check((enum family)kind, reals[_i], shape, 0, 1e-30, 0, 3);
		check((enum family)kind, reals[_i], shape, 1e-30, 1e-30, 0, 3);
	}
}
END_TEST

/*
 * A slice of one value all over gives the bias, exactly; about 0, where the value is not taken out, it gives about its
 * sign.
 */
START_TEST(constant_slices)
{
	static const double values[] = { 0, 1, 0.1, 3e38, -65504, 1e-30 };
	const struct family_shape shape = { 2, 4, 18, 2 };
	size_t i, at;
	int kind;

	for (kind = 0; kind < FAMILIES; kind++)
		for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			struct fixture f = fixture_new(reals[_i], shape, 0, 0);

			for (at = 0; at < family_size(shape); at++)
				element_set(f.real, f.x, at, fmin(values[i], real_max(f.real)));
			memcpy(f.before, f.x, f.bytes);
			ck_assert(forward((enum family)kind, &f, f.x, EPS, f.weight, f.bias));
			for (at = 0; at < family_size(shape) && kind != FAMILY_RMS; at++)
				ck_assert(element_get(f.real, f.x, at) ==
				    rounded(f.real, f.bias[family_parameter((enum family)kind, shape, at)]));
			for (at = 0; at < family_slices((enum family)kind, shape); at++)
				check_slice((enum family)kind, &f, at, EPS, f.weight, f.bias);
			fixture_free(&f);
		}
}
END_TEST

START_TEST(any_element_alignment)
{
	static const struct family_shape shapes[] = { { 3, 6, 17, 3 }, { 5, 30, 1, 6 }, { 2, 2, 700, 1 } };
	const size_t width = norm_real_size(reals[_i]);
	size_t i;
	int kind;

	for (kind = 0; kind < FAMILIES; kind++)
		for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
			struct fixture f = fixture_new(reals[_i], shapes[i], 1, 1);

			memmove(f.before + width, f.before, f.bytes);
			ck_assert(forward((enum family)kind, &f, f.x, EPS, f.weight, f.bias));
			ck_assert(forward((enum family)kind, &f, f.before + width, EPS, f.weight, f.bias));
			ck_assert_mem_eq(f.x, f.before + width, f.bytes);
			fixture_free(&f);
		}
}
END_TEST

/* A bad element is told; whatever does not share its slice has the same bits as without it. */
START_TEST(not_finite_stays_in_its_slice)
{
	static const double bad[] = { NAN, INFINITY, -INFINITY };
	const struct family_shape shape = { 4, 6, 5, 3 };
	const size_t width = norm_real_size(reals[_i]), place = 77;
	size_t i, at;
	int kind;

	for (kind = 0; kind < FAMILIES; kind++)
		for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			struct fixture f = fixture_new(reals[_i], shape, 0, 1);

			element_set(f.real, f.before, place, bad[i]);
			ck_assert(forward((enum family)kind, &f, f.x, EPS, f.weight, f.bias));
			ck_assert(!forward((enum family)kind, &f, f.before, EPS, f.weight, f.bias));
			for (at = 0; at < family_size(shape); at++)
				if (family_slice((enum family)kind, shape, at) !=
				    family_slice((enum family)kind, shape, place))
					ck_assert_mem_eq(f.x + at * width, f.before + at * width, width);
			fixture_free(&f);
		}
}
END_TEST

/* 1 / sqrt(infinity) is 0, which is finite: that a variance has overflowed must be told nevertheless. */
START_TEST(an_overflow_of_the_variance_is_told)
{
	const struct family_shape shape = { 2, 2, 3, 1 };
	int kind;

	for (kind = FAMILY_LAYER; kind < FAMILIES; kind++) {
		struct fixture f = fixture_new(NORM_DOUBLE, shape, 0, 1);

		element_set(f.real, f.x, 1, 1e200);
		ck_assert(!forward((enum family)kind, &f, f.x, EPS, NULL, NULL));
		fixture_free(&f);
	}
}
END_TEST

START_TEST(no_samples)
{
	struct fixture f = fixture_new(reals[_i], (struct family_shape){ 0, 4, 3, 2 }, 0, 1);
	int kind;

	for (kind = FAMILY_LAYER; kind < FAMILIES; kind++)
		ck_assert(forward((enum family)kind, &f, NULL, EPS, NULL, NULL));
	fixture_free(&f);
}
END_TEST

/* What the kinds are to each other. */

static const struct family_shape related[] = { { 3, 4, 5, 2 }, { 2, 6, 16, 3 }, { 4, 300, 1, 10 }, { 1, 3, 600, 1 },
	{ 5, 1, 7, 1 } };
#define RELATED (sizeof(related) / sizeof(related[0]))

/* Instances normalized as one that tracks does it, each by moments that were taken before. */
static bool
forward_by_instances(struct fixture *f, void *x, const double *weight, const double *bias)
{
	const struct family_shape s = f->shape;

	run_moments(f->real, x, (struct norm_view){ 1, s.n * s.c, s.s }, f->mean, f->rstd);
	normalize_rstd(f->rstd, EPS, s.n * s.c, f->rstd);
	return run_by(&norm_by_sample, f->real, x, (struct norm_view){ s.n, s.c, s.s },
	    (struct norm_by){ f->mean, f->rstd, weight, bias });
}

START_TEST(instance_is_group_with_a_group_per_channel)
{
	size_t i;

	for (i = 0; i < RELATED; i++) {
		struct family_shape each = related[i];
		struct fixture f;

		each.groups = each.c;
		f = fixture_new(reals[_i], each, 1, 2);
		ck_assert(forward(FAMILY_GROUP, &f, f.x, EPS, f.weight, f.bias));
		ck_assert(forward_by_instances(&f, f.before, f.weight, f.bias));
		ck_assert_mem_eq(f.x, f.before, f.bytes);
		fixture_free(&f);
	}
}
END_TEST

START_TEST(group_with_one_group_is_layer)
{
	size_t i, c, k;

	for (i = 0; i < RELATED; i++) {
		struct family_shape all = related[i];
		struct fixture f;
		double *weight, *bias;

		all.groups = 1;
		f = fixture_new(reals[_i], all, 1, 2);
		weight = allocate(all.c * all.s, sizeof(*weight));
		bias = allocate(all.c * all.s, sizeof(*bias));
		for (c = 0; c < all.c; c++)
			for (k = 0; k < all.s; k++) {
				weight[c * all.s + k] = f.weight[c];
				bias[c * all.s + k] = f.bias[c];
			}
		ck_assert(forward(FAMILY_GROUP, &f, f.x, EPS, f.weight, f.bias));
		ck_assert(forward(FAMILY_LAYER, &f, f.before, EPS, weight, bias));
		ck_assert_mem_eq(f.x, f.before, f.bytes);
		free(weight);
		free(bias);
		fixture_free(&f);
	}
}
END_TEST

/* Every value beside its negative, in eighths, so that the mean is 0 in any order of adding. */
START_TEST(rms_is_layer_where_the_mean_is_0)
{
	size_t i, at;

	for (i = 0; i < RELATED; i++) {
		struct family_shape pairs = related[i];
		struct fixture f;
		uint64_t seed = 5;

		pairs.s *= 2;
		f = fixture_new(reals[_i], pairs, 0, 0);
		for (at = 0; at < family_size(pairs); at += 2) {
			const double value = (double)(random_next(&seed) % 64) / 8;

			element_set(f.real, f.x, at, value);
			element_set(f.real, f.x, at + 1, -value);
		}
		memcpy(f.before, f.x, f.bytes);
		ck_assert(forward(FAMILY_RMS, &f, f.x, EPS, f.weight, f.bias));
		ck_assert(forward(FAMILY_LAYER, &f, f.before, EPS, f.weight, f.bias));
		ck_assert_mem_eq(f.x, f.before, f.bytes);
		fixture_free(&f);
	}
}
END_TEST

/*
 * Without eps, a x + b is normalized as x is where a > 0, and mirrored where a < 0; in small whole numbers nothing is
 * rounded.
 */
START_TEST(batch_does_not_see_scale_and_shift)
{
	static const double map[][2] = { { 4, 0 }, { 1, 100 }, { 3, -7 }, { -1, 0 }, { -5, 20 } };
	const struct family_shape shape = { 6, 3, 17, 1 };
	size_t i, at;

	for (i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		struct fixture f = fixture_new(reals[_i], shape, 0, 0);
		uint64_t seed = 6;

		for (at = 0; at < family_size(shape); at++) {
			const double value = (double)(random_next(&seed) % 16);

			element_set(f.real, f.x, at, value);
			element_set(f.real, f.before, at, map[i][0] * value + map[i][1]);
		}
		ck_assert(forward(FAMILY_BATCH, &f, f.x, 0, NULL, NULL));
		ck_assert(forward(FAMILY_BATCH, &f, f.before, 0, NULL, NULL));
		for (at = 0; at < family_size(shape); at++) {
			const double y = element_get(f.real, f.x, at), mapped = element_get(f.real, f.before, at);

			ck_assert_double_le(fabs(mapped - (map[i][0] < 0 ? -y : y)), 8 * ulp(f.real, 1));
		}
		fixture_free(&f);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("family");
	TCase *t = tcase_create("family");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, every_small_shape, 0, REALS);
	tcase_add_loop_test(t, edges_of_blocks, 0, REALS);
	tcase_add_loop_test(t, large_means, 0, REALS);
	tcase_add_test(t, large_mean_of_few_values);
	tcase_add_loop_test(t, tiny_and_huge, 0, REALS);
	tcase_add_loop_test(t, constant_slices, 0, REALS);
	tcase_add_loop_test(t, any_element_alignment, 0, REALS);
	tcase_add_loop_test(t, not_finite_stays_in_its_slice, 0, REALS);
	tcase_add_test(t, an_overflow_of_the_variance_is_told);
	tcase_add_loop_test(t, no_samples, 0, REALS);
	tcase_add_loop_test(t, instance_is_group_with_a_group_per_channel, 0, REALS);
	tcase_add_loop_test(t, group_with_one_group_is_layer, 0, REALS);
	tcase_add_loop_test(t, rms_is_layer_where_the_mean_is_0, 0, REALS);
	tcase_add_loop_test(t, batch_does_not_see_scale_and_shift, 0, REALS);
	suite_add_tcase(s, t);
	return s;
}
