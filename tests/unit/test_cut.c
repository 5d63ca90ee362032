/* SPDX-License-Identifier: MIT */
/*
 * Passes in parts (norm/cut.h): however they are cut, the bits of the whole, for each operation, each type of element
 * and, where the loops see the part, each set of vector instructions.
 */
#include "norm/cut.h"

#include <stdlib.h>
#include <string.h>

#include "norm/kernels/kernels.h"
#include "tests/unit/norm_reference.h"
#include "tests/unit/norm_run.h"
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
	double *whole_numbers, *numbers;     /* 3 * feature each: mean, var, rstd; or gradients by weight and bias */
	double *scratch;                     /* 3 * feature */
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

/* A pass with all that any operation takes. Backward, f->x went in and the tensors are gradients. */
static struct norm_pass
pass_of(const struct fixture *f, const struct norm_op *op)
{
	return (struct norm_pass){ .op = op,
		.real = f->real,
		.view = f->view,
		.x = f->x,
		.eps = EPS,
		.limit = 1.5,
		.groups = 1,
		.centered = true,
		.count = norm_view_count(f->view),
		.by = { f->mean, f->rstd, f->weight, f->bias },
		.scratch = f->scratch };
}

/* Where a pass writes: the whole, or the parts. */
static struct norm_pass
to(struct norm_pass pass, void *tensor, double *numbers)
{
	const size_t n = pass.view.feature;

	if (pass.op == &norm_moments)
		pass.x = tensor;
	pass.y = tensor;
	pass.mean = pass.grad_weight = numbers;
	pass.var = pass.grad_bias = numbers + n;
	pass.rstd = numbers + 2 * n;
	return pass;
}

/* The last parts first. */
static void
run_parts(const struct norm_pass *p, struct norm_cut cut, size_t parts)
{
	if (p->op->begin != NULL)
		p->op->begin(p);
	for (size_t i = parts; i-- > 0;)
		ck_assert(p->op->part(p, cut_part(cut.count, cut.step, parts, i)));
	if (p->op->end != NULL)
		p->op->end(p);
}

/* As the daemon runs it, and in `parts` parts. */
static void
check_cut(const struct fixture *f, const char *what, struct norm_pass pass, struct norm_cut cut, size_t parts)
{
	const struct norm_pass in_parts = to(pass, f->parts, f->numbers);

	ck_assert(run(to(pass, f->whole, f->whole_numbers)));
	run_parts(&in_parts, cut, parts);
	check_alike(f, what, parts);
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

/* A kernel of any set: whole, and in all numbers of parts that there can be. */
static void
check_kernel(const struct fixture *f, const char *what, kernel *k, const struct norm_pass *pass)
{
	const struct norm_pass whole = to(*pass, f->whole, f->whole_numbers), parts = to(*pass, f->parts, f->numbers);
	const size_t n = f->view.feature, step = cut_step(f->view);

	for (size_t count = 1; count <= cut_most(n, step); count++) {
		(void)k(&whole, (struct norm_part){ 0, n });
		for (size_t i = 0; i < count; i++)
			ck_assert(k(&parts, cut_part(n, step, count, i)));
		check_alike(f, what, count);
	}
}

static void
check_kernels(const struct kernels_of_real *k, const struct fixture *f)
{
	const struct norm_pass measured = pass_of(f, &norm_moments), batch = pass_of(f, &norm_batch);

	check_kernel(f, "the kernel of moments", k->moments, &measured);
	check_kernel(f, "the kernel of batch", k->batch, &batch);
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

START_TEST(by_features)
{
	for (size_t p = 0; p < VIEWS; p++) {
		struct fixture f = fixture_new(reals[_i], views[p]);
		struct norm_pass batch = pass_of(&f, &norm_batch);
		const struct norm_cut cut = batch.op->cut(&batch);

		batch.by = affine(f.weight, NULL);
		for (size_t parts = 1; parts <= cut_most(cut.count, cut.step); parts++) {
			check_cut(&f, "norm_moments", pass_of(&f, &norm_moments), cut, parts);
			check_cut(&f, "norm_batch", batch, cut, parts);
		}
		fixture_free(&f);
	}
}
END_TEST

/* Backward again and again it would overflow. */
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
		struct norm_pass all = pass_of(&f, &norm_batch_backward), shard = pass_of(&f, &norm_shard_backward);
		const struct norm_cut cut = all.op->cut(&all), outer = shard.op->cut(&shard);

		all.by.mean = shard.by.mean = f.bias;
		for (size_t parts = 1; parts <= cut_most(cut.count, cut.step); parts++) {
			gradient_anew(&f);
			check_cut(&f, "norm_sums", pass_of(&f, &norm_sums), cut, parts);
			check_cut(&f, "norm_batch_backward", all, cut, parts);
		}
		shard.sum = f.whole_numbers + f.view.feature;
		shard.product = f.whole_numbers;
		for (size_t parts = 1; parts <= columns_min(outer.count, 9); parts++) {
			gradient_anew(&f);
			check_cut(&f, "norm_shard_backward", shard, outer, parts);
		}
		fixture_free(&f);
	}
}
END_TEST

/* At any element: within runs, between them, within samples, over several. */
START_TEST(by_elements)
{
	static const size_t numbers[] = { 1, 2, 3, 7, 64, 500 };

	for (size_t p = 0; p < VIEWS; p++)
		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && numbers[i] <= view_size(views[p]); i++) {
			struct fixture f = fixture_new(reals[_i], views[p]);
			const struct norm_cut cut = { f.size, 1 };
			struct norm_pass by_sample = pass_of(&f, &norm_by_sample);

			by_sample.by.weight = NULL;
			check_cut(&f, "norm_by_feature", pass_of(&f, &norm_by_feature), cut, numbers[i]);
			check_cut(&f, "norm_by_sample", by_sample, cut, numbers[i]);
			check_cut(&f, "norm_clip", pass_of(&f, &norm_clip), cut, numbers[i]);
			check_cut(&f, "norm_clip_backward", pass_of(&f, &norm_clip_backward), cut, numbers[i]);
			fixture_free(&f);
		}
}
END_TEST

START_TEST(by_rows)
{
	static const struct norm_view rows[] = { { 1, 1, 5 }, { 1, 200, 48 }, { 1, 35, 40 }, { 1, 150, 1 },
		{ 1, 5, 5000 } };

	for (size_t p = 0; p < sizeof(rows) / sizeof(rows[0]); p++)
		for (size_t parts = 1; parts <= rows[p].feature; parts += 1 + parts / 2) {
			struct fixture f = fixture_new(reals[_i], rows[p]);
			const struct norm_cut cut = { f.view.feature, 1 };
			struct norm_pass rms = pass_of(&f, &norm_rows);

			rms.centered = false;
			rms.by.bias = NULL;
			check_cut(&f, "norm_rows", pass_of(&f, &norm_rows), cut, parts);
			check_cut(&f, "norm_rows without mean", rms, cut, parts);
			check_cut(&f, "norm_rows_by", pass_of(&f, &norm_rows_by), cut, parts);
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

/* norm_groups by its definition: the moments of each group, given to its channels. */
static void
groups_one_by_one(struct fixture *f, size_t groups)
{
	const size_t in_group = f->view.feature / groups, size = in_group * f->view.inner,
		     width = norm_real_size(f->real);
	unsigned char *x = f->whole;
	double mean, rstd;

	for (size_t g = 0; g < f->view.outer * groups; g++, x += size * width) {
		run_moments(f->real, x, (struct norm_view){ 1, 1, size }, &mean, &rstd);
		normalize_rstd(&rstd, EPS, 1, &rstd);
		for (size_t c = 0; c < in_group; c++) {
			const size_t channel = g % groups * in_group + c;

			ck_assert(run_by(&norm_by_feature, f->real, x + c * f->view.inner * width,
			    (struct norm_view){ 1, 1, f->view.inner },
			    (struct norm_by){ &mean, &rstd, f->weight + channel, f->bias + channel }));
		}
	}
}

START_TEST(by_groups)
{
	for (size_t p = 0; p < sizeof(grouped) / sizeof(grouped[0]); p++) {
		const struct norm_cut cut = { grouped[p].view.outer * grouped[p].groups, 1 };

		for (size_t parts = 1; parts <= cut.count; parts += 1 + parts / 2) {
			struct fixture f = fixture_new(reals[_i], grouped[p].view);
			struct norm_pass pass = to(pass_of(&f, &norm_groups), f.parts, f.numbers);

			pass.groups = grouped[p].groups;
			groups_one_by_one(&f, pass.groups);
			run_parts(&pass, cut, parts);
			check_alike(&f, "norm_groups, by its definition,", parts);
			pass.by = affine(NULL, NULL);
			check_cut(&f, "norm_groups", pass, cut, parts);
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
	static const struct {
		const struct norm_op *op;
		struct norm_part part;
		bool finite;
	} cases[] = { { &norm_by_feature, { 0, 43 }, true }, { &norm_by_feature, { 43, 44 }, false },
		{ &norm_by_sample, { 44, 480 }, true }, { &norm_groups, { 3, 24 }, true },
		{ &norm_batch, { 3, 6 }, true }, { &norm_batch, { 2, 3 }, false } };

	element_set(f.real, f.parts, 2 * 20 + 3, INFINITY); /* sample 0, feature 2 */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct norm_pass pass = to(pass_of(&f, cases[i].op), f.parts, f.numbers);

		pass.groups = 6;
		pass.by.weight = pass.by.bias = NULL;
		ck_assert_int_eq(pass.op->part(&pass, cases[i].part), cases[i].finite);
	}
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
