/* SPDX-License-Identifier: MIT */
/*
 * Every set of kernels that this processor can run against the portable one: the same bits, for each type of element,
 * on shapes that take every way through the loops and leave every remainder of their vectors, with numbers of every
 * size.
 */
#include "norm/kernels/kernels.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "norm/kernels/merge.h"
#include "norm/update.h"
#include "tests/unit/norm_reference.h"
#include "tests/unit/norm_run.h"
#include "tests/unit/unit.h"

/* Long runs of all lengths around the vectors' and the chunks', short runs, columns with and without folding. */
static const struct norm_view views[] = { { 3, 2, 16 }, { 2, 2, 17 }, { 2, 1, 31 }, { 1, 3, 33 }, { 2, 2, 63 },
	{ 1, 2, 65 }, { 3, 2, 196 }, { 2, 2, 511 }, { 1, 2, 513 }, { 2, 1, 1031 }, { 7, 5, 9 }, { 40, 300, 1 },
	{ 3000, 3, 1 }, { 500, 70, 4 }, { 1, 9, 3 }, { 8, 16, 1 }, { 5, 7, 1 } };
#define VIEWS (sizeof(views) / sizeof(views[0]))

/* Features that are merged at most: all remainders of the vectors. */
#define MERGED ((size_t)40)

static void *
allocate(size_t n, size_t size)
{
	void *p = calloc(n, size);

	ck_assert_ptr_nonnull(p);
	return p;
}

static void *
copy_of(const void *x, size_t bytes)
{
	void *copy = allocate(bytes, 1);

	memcpy(copy, x, bytes);
	return copy;
}

/* What one set makes of a tensor: the moments, and the tensor normalized by feature and by row, and limited. */
struct outcome {
	size_t bytes;
	double *moments; /* means, then variances */
	void *by_feature;
	void *rows;
	void *clipped;
	bool finite_by_feature;
	bool finite_rows;
};

static void
outcome_free(struct outcome *o)
{
	free(o->moments);
	free(o->by_feature);
	free(o->rows);
	free(o->clipped);
}

static struct outcome
outcome_of(const struct kernels *k, enum norm_real real, const void *x, struct norm_view v, const double *parameters)
{
	const struct kernels_of_real *of = k->of[real];
	const size_t runs = v.outer * v.feature;
	struct outcome o = { .bytes = view_size(v) * norm_real_size(real) };
	double *rstd = allocate(v.feature, sizeof(*rstd));
	struct norm_pass pass = { .real = real, .view = v, .x = x, .eps = 1e-5, .limit = 3.1, .centered = true };

	o.moments = allocate(2 * v.feature, sizeof(double));
	o.by_feature = copy_of(x, o.bytes);
	o.rows = copy_of(x, o.bytes);
	o.clipped = copy_of(x, o.bytes);
	pass.mean = o.moments;
	pass.var = o.moments + v.feature;
	(void)of->moments(&pass, (struct norm_part){ 0, v.feature });
	normalize_rstd(pass.var, 1e-5, v.feature, rstd);
	pass.by = (struct norm_by){ o.moments, rstd, parameters, parameters + 1 };
	pass.y = o.by_feature;
	o.finite_by_feature = of->by_feature(&pass, (struct norm_part){ 0, v.outer });
	pass.y = o.clipped;
	(void)of->clip(&pass, (struct norm_part){ 0, view_size(v) });
	pass.view = (struct norm_view){ 1, runs, v.inner };
	pass.y = o.rows;
	o.finite_rows = of->rows(&pass, (struct norm_part){ 0, runs });
	free(rstd);
	return o;
}

/* A NaN's sign and payload are the processor's, and no part of the promise. */
static void
nans_alike(enum norm_real real, void *x, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (isnan(element_get(real, x, i)))
			element_set(real, x, i, NAN);
}

static void
outcome_nans_alike(const struct outcome *o, enum norm_real real, struct norm_view v)
{
	nans_alike(NORM_DOUBLE, o->moments, 2 * v.feature);
	nans_alike(real, o->by_feature, view_size(v));
	nans_alike(real, o->rows, view_size(v));
	nans_alike(real, o->clipped, view_size(v));
}

static void
check_same(enum norm_real real, void *x, struct norm_view v)
{
	double *parameters = allocate(view_size(v) + 1, sizeof(*parameters));
	const struct kernels *k;
	struct outcome portable, other;
	uint64_t seed = 3;
	size_t i;

	for (i = 0; i <= view_size(v); i++)
		parameters[i] = random_deviate(&seed);
	portable = outcome_of(kernels_usable(0), real, x, v, parameters);
	outcome_nans_alike(&portable, real, v);
	for (i = 1; (k = kernels_usable(i)) != NULL; i++) {
		other = outcome_of(k, real, x, v, parameters);
		outcome_nans_alike(&other, real, v);
		ck_assert_msg(memcmp(portable.moments, other.moments, 2 * v.feature * sizeof(double)) == 0 &&
			memcmp(portable.by_feature, other.by_feature, portable.bytes) == 0 &&
			memcmp(portable.rows, other.rows, portable.bytes) == 0 &&
			memcmp(portable.clipped, other.clipped, portable.bytes) == 0 &&
			portable.finite_by_feature == other.finite_by_feature &&
			portable.finite_rows == other.finite_rows,
		    "%s differs on (%zu,%zu,%zu) of type %d", k->name, v.outer, v.feature, v.inner, (int)real);
		outcome_free(&other);
	}
	outcome_free(&portable);
	free(parameters);
}

/*
 * What one set makes of a gradient: the sums and those of a row, and the gradients by feature, by row, and where the
 * output was clipped.
 */
struct gradients {
	double *numbers; /* sums and products of features; the positions' two of the row */
	size_t count;
	void *by_feature, *batch, *row, *clipped;
	bool finite_by_feature, finite_batch, finite_row;
};

static void
gradients_free(struct gradients *o)
{
	free(o->numbers);
	free(o->by_feature);
	free(o->batch);
	free(o->row);
	free(o->clipped);
}

/* Sums and gradients at once, and the gradients by the sums: the same. */
static void
batch_of(struct gradients *o, const struct kernels_of_real *of, struct norm_pass pass)
{
	const size_t n = pass.view.feature;
	double *arrays = allocate(5 * n, sizeof(*arrays)), *sums = arrays + 3 * n;

	pass.count = norm_view_count(pass.view);
	pass.scratch = arrays;
	pass.grad_bias = sums;
	pass.grad_weight = sums + n;
	pass.y = o->batch;
	o->finite_batch = of->batch_backward(&pass, (struct norm_part){ 0, n });
	for (size_t f = 0; f < n; f++)
		o->numbers[n + f] *= pass.by.rstd[f];
	nans_alike(NORM_DOUBLE, sums, 2 * n);
	nans_alike(NORM_DOUBLE, o->numbers, 2 * n);
	ck_assert_mem_eq(sums, o->numbers, 2 * n * sizeof(*sums));
	pass.y = o->by_feature;
	o->finite_by_feature = of->terms_backward(&pass, (struct norm_part){ 0, pass.view.outer });
	free(arrays);
}

/* `gradient` is a tensor too; the parameters stand in for means and factors as well. */
static struct gradients
gradients_of(const struct kernels *k, const struct norm_pass *given, void *gradient)
{
	const enum norm_real real = given->real;
	const struct kernels_of_real *of = k->of[real];
	const struct norm_view v = given->view;
	const size_t size = view_size(v), bytes = size * norm_real_size(real);
	struct gradients o = { .count = 2 * v.feature + 2 * size };
	struct norm_pass pass = *given;

	o.numbers = allocate(o.count, sizeof(double));
	o.by_feature = copy_of(gradient, bytes);
	o.batch = copy_of(gradient, bytes);
	o.row = copy_of(gradient, bytes);
	o.clipped = copy_of(gradient, bytes);
	pass.y = gradient;
	pass.grad_bias = o.numbers;
	pass.grad_weight = o.numbers + v.feature;
	(void)of->sums(&pass, (struct norm_part){ 0, v.feature });
	batch_of(&o, of, pass);
	pass.y = o.clipped;
	(void)of->clip_backward(&pass, (struct norm_part){ 0, size });
	pass.y = o.row;
	pass.view = (struct norm_view){ 1, 1, size };
	pass.grad_weight = o.numbers + 2 * v.feature;
	pass.grad_bias = pass.grad_weight + size;
	o.finite_row = of->rows_backward(&pass, (struct norm_part){ 0, 1 });
	nans_alike(NORM_DOUBLE, o.numbers, o.count);
	nans_alike(real, o.by_feature, size);
	nans_alike(real, o.batch, size);
	ck_assert_mem_eq(o.batch, o.by_feature, bytes);
	nans_alike(real, o.row, size);
	nans_alike(real, o.clipped, size);
	return o;
}

/* The gradient is the tensor from its end to its start. */
static void *
reversed(enum norm_real real, const void *x, size_t n)
{
	const size_t bytes = norm_real_size(real);
	unsigned char *out = allocate(n, bytes);

	for (size_t i = 0; i < n; i++)
		memcpy(out + i * bytes, (const unsigned char *)x + (n - 1 - i) * bytes, bytes);
	return out;
}

static void
check_same_gradients(enum norm_real real, const void *x, struct norm_view v)
{
	const size_t bytes = view_size(v) * norm_real_size(real);
	double *parameters = allocate(view_size(v) + 1, sizeof(*parameters));
	void *gradient = reversed(real, x, view_size(v));
	struct gradients portable, other;
	const struct kernels *k;
	uint64_t seed = 5;

	for (size_t i = 0; i <= view_size(v); i++)
		parameters[i] = random_deviate(&seed);
	for (int with_weight = 0; with_weight < 2; with_weight++) {
		const struct norm_pass pass = { .real = real,
			.view = v,
			.x = x,
			.eps = 1e-5,
			.limit = 3.1,
			.centered = !with_weight,
			.by = { parameters, parameters + 1, with_weight ? parameters : NULL, NULL } };

		portable = gradients_of(kernels_usable(0), &pass, gradient);
		for (size_t i = 1; (k = kernels_usable(i)) != NULL; i++) {
			other = gradients_of(k, &pass, gradient);
			ck_assert_msg(memcmp(portable.numbers, other.numbers, portable.count * sizeof(double)) == 0 &&
				memcmp(portable.by_feature, other.by_feature, bytes) == 0 &&
				memcmp(portable.batch, other.batch, bytes) == 0 &&
				memcmp(portable.row, other.row, bytes) == 0 &&
				memcmp(portable.clipped, other.clipped, bytes) == 0 &&
				portable.finite_by_feature == other.finite_by_feature &&
				portable.finite_batch == other.finite_batch && portable.finite_row == other.finite_row,
			    "%s differs backward on (%zu,%zu,%zu) of type %d", k->name, v.outer, v.feature, v.inner,
			    (int)real);
			gradients_free(&other);
		}
		gradients_free(&portable);
	}
	free(gradient);
	free(parameters);
}

START_TEST(usual_numbers)
{
	uint64_t seed = 7;
	size_t p, i;

	for (p = 0; p < VIEWS; p++) {
		void *x = allocate(view_size(views[p]), sizeof(double));

		for (i = 0; i < view_size(views[p]); i++)
			element_set(reals[_i], x, i, 3 + random_deviate(&seed));
		check_same(reals[_i], x, views[p]);
		check_same_gradients(reals[_i], x, views[p]);
		free(x);
	}
}
END_TEST

/* All bits at random: subnormals, huge numbers, infinities, NaNs. */
START_TEST(any_bits)
{
	uint64_t seed = 8, bits;
	size_t p, i;
	int round;

	for (round = 0; round < 8; round++)
		for (p = 0; p < VIEWS; p++) {
			const size_t size = view_size(views[p]) * norm_real_size(reals[_i]);
			unsigned char *x = allocate(size + sizeof(bits), 1);

			for (i = 0; i < size; i += sizeof(bits)) {
				bits = random_next(&seed);
				memcpy(x + i, &bits, sizeof(bits));
			}
			check_same(reals[_i], x, views[p]);
			check_same_gradients(reals[_i], x, views[p]);
			free(x);
		}
}
END_TEST

/* Means, then variances: usual, or so large that what they differ by overflows. */
static void
moments_init(double *moments, size_t n, bool huge, uint64_t *seed)
{
	for (size_t i = 0; i < 2 * n; i++) {
		const double x = random_unit(seed);

		moments[i] = (i < n ? 2 * x - 1 : x) * (huge && random_next(seed) % 4 == 0 ? DBL_MAX : 3);
	}
}

/* Two sets of `n` features' moments, and what each way of merging them makes of them. */
struct merging {
	size_t n;
	double in[2 * MERGED], u[2 * MERGED];
	double expected[2 * MERGED], out[2 * MERGED];
};

/* Equation 7, feature by feature. Returns whether all is finite. */
static bool
merge_plainly(struct merging *m, const struct merge *by)
{
	bool finite = true;

	for (size_t f = 0, v = m->n; f < m->n; f++, v++) {
		const double delta = m->u[f] - m->in[f];

		m->expected[f] = by->a_is_less ? m->u[f] - delta * by->share_a : m->in[f] + delta * by->share_b;
		m->expected[v] = by->weight_a * m->in[v] + by->weight_b * m->u[v];
		m->expected[v] += (delta * by->share_a) * (delta * by->weight_b);
		finite &= isfinite(m->expected[f]) && isfinite(m->expected[v]);
	}
	return finite;
}

/* Apart or in place. */
static void
check_merge(struct merging *m, const struct merge *by, bool in_place)
{
	const struct statistics in = { .features = m->n, .mean = m->in, .var = m->in + m->n },
				out = { .features = m->n, .mean = m->out, .var = m->out + m->n };
	const struct update u = { .features = m->n, .mean = m->u, .var = m->u + m->n };
	const bool finite = merge_plainly(m, by);
	const struct kernels *k;

	nans_alike(NORM_DOUBLE, m->expected, 2 * m->n);
	for (size_t i = 0; (k = kernels_usable(i)) != NULL; i++) {
		memset(m->out, 0x55, sizeof(m->out));
		if (in_place)
			memcpy(m->out, m->in, 2 * m->n * sizeof(double));
		ck_assert_msg(
		    k->merge(in_place ? &out : &in, &u, by, &out) == finite, "%s, %zu features", k->name, m->n);
		nans_alike(NORM_DOUBLE, m->out, 2 * m->n);
		ck_assert_msg(memcmp(m->out, m->expected, 2 * m->n * sizeof(double)) == 0,
		    "%s differs for %zu features", k->name, m->n);
	}
}

/* Any number of features, by either side, with and without the correction of ddof, and out of range. */
START_TEST(merges)
{
	static const struct merge ways[] = { { false, 0.75, 0.25, 0.75, 0.25 }, { true, 0.1, 0.9, 0.1, 0.9 },
		{ false, 0.6, 0.4, 0.59, 0.41 }, { true, 0.3, 0.7, 0.29, 0.71 }, { true, 0, 1, 0, 1 },
		{ true, 0, 1, 0, 0 } };
	struct merging m;
	uint64_t seed = 5;

	for (m.n = 0; m.n <= MERGED; m.n++)
		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
			for (int huge = 0; huge < 2; huge++) {
				moments_init(m.in, m.n, huge, &seed);
				moments_init(m.u, m.n, huge, &seed);
				check_merge(&m, &ways[i], false);
				check_merge(&m, &ways[i], true);
			}
}
END_TEST

/* Apart and in place, also of what has no root. */
START_TEST(reciprocal_roots)
{
	static const double odd[] = { 0, -1, INFINITY, NAN, 0x1p-1074, 0x1.fffffffffffffp1023 };
	double var[MERGED], expected[MERGED], rstd[MERGED];
	const struct kernels *k;
	uint64_t seed = 6;

	for (size_t n = 0; n <= MERGED; n++)
		for (size_t i = 0; (k = kernels_usable(i)) != NULL; i++) {
			for (size_t f = 0; f < n; f++) {
				var[f] = f % 3 == 0 ? odd[f / 3 % 6] : fabs(random_deviate(&seed));
				expected[f] = 1 / sqrt(var[f] + 1e-5);
			}
			nans_alike(NORM_DOUBLE, expected, n);
			k->rstd(var, 1e-5, n, rstd);
			nans_alike(NORM_DOUBLE, rstd, n);
			ck_assert_mem_eq(rstd, expected, n * sizeof(*rstd));
			k->rstd(var, 1e-5, n, var);
			nans_alike(NORM_DOUBLE, var, n);
			ck_assert_mem_eq(var, expected, n * sizeof(*rstd));
		}
}
END_TEST

START_TEST(the_best_is_the_widest_usable)
{
	size_t n = 0;

	while (kernels_usable(n) != NULL)
		n++;
	ck_assert_uint_ge(n, 1);
	ck_assert_str_eq(kernels_usable(0)->name, "portable");
	ck_assert_ptr_eq(kernels_best(), kernels_usable(n - 1));
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("kernels");
	TCase *t = tcase_create("kernels");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, usual_numbers, 0, REALS);
	tcase_add_loop_test(t, any_bits, 0, REALS);
	tcase_add_test(t, merges);
	tcase_add_test(t, reciprocal_roots);
	tcase_add_test(t, the_best_is_the_widest_usable);
	suite_add_tcase(s, t);
	return s;
}
