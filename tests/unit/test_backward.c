/* SPDX-License-Identifier: MIT */
/*
 * The backward pass of every kind against the plain reference, which is itself held against central differences: all
 * small shapes, odd sizes, the edges of blocks, every type of element.
 */

#include <string.h>

#include "tests/unit/backward_reference.h"
#include "tests/unit/norm_run.h"

#define EPS 1e-5

/* By features in training and in inference; by groups; by rows, centered or not. */
enum way { BY_FEATURE, BY_CONSTANTS, BY_GROUPS, BY_ROWS, BY_ROWS_RMS, WAYS };

/* A tensor (samples, channels, positions); rows are whole samples. */
struct shape {
	size_t n, c, s;
	size_t groups;
};

/* What a call is made of. Arrays that a test does not want are NULL for the call. */
struct fixture {
	enum way way;
	enum norm_real real;
	struct shape shape;
	size_t size, slices, parameters;
	void *x, *g, *before; /* g comes back as the gradient by x; what it was */
	double *weight;       /* NULL: ones */
	double *mean, *rstd;  /* of each slice */
	size_t *count;        /* likewise, its values */
	double *grad_weight, *grad_bias;
	bool finite;
};

static bool
is_rows(enum way way)
{
	return way == BY_ROWS || way == BY_ROWS_RMS;
}

static bool
is_features(enum way way)
{
	return way == BY_FEATURE || way == BY_CONSTANTS;
}

static struct norm_view
view_of(const struct fixture *x)
{
	return (struct norm_view){ x->shape.n, x->shape.c, x->shape.s };
}

static size_t
slice_of(const struct fixture *x, size_t at)
{
	const struct shape *s = &x->shape;
	const size_t n = at / (s->c * s->s), c = at / s->s % s->c;

	return is_features(x->way) ? c : is_rows(x->way) ? n : n * s->groups + c / (s->c / s->groups);
}

static size_t
parameter_of(const struct fixture *x, size_t at)
{
	return is_rows(x->way) ? at % (x->shape.c * x->shape.s) : at / x->shape.s % x->shape.c;
}

static struct fixture
fixture_new(enum way way, enum norm_real real, struct shape s, double mean, uint64_t seed)
{
	struct fixture x = { .way = way, .real = real, .shape = s, .size = s.n * s.c * s.s };

	x.slices = is_features(way) ? s.c : is_rows(way) ? s.n : s.n * s.groups;
	x.parameters = is_rows(way) ? s.c * s.s : s.c;
	x.x = reference_array(x.size, sizeof(double));
	x.g = reference_array(x.size, sizeof(double));
	x.before = reference_array(x.size, sizeof(double));
	x.weight = reference_array(x.parameters, sizeof(double));
	x.mean = reference_array(x.slices, sizeof(double));
	x.rstd = reference_array(x.slices, sizeof(double));
	x.count = reference_array(x.slices, sizeof(*x.count));
	x.grad_weight = reference_array(x.parameters, sizeof(double));
	x.grad_bias = reference_array(x.parameters, sizeof(double));
	for (size_t i = 0; i < x.size; i++) {
		element_set(real, x.x, i, mean + random_deviate(&seed));
		element_set(real, x.g, i, random_deviate(&seed));
	}
	for (size_t i = 0; i < x.parameters; i++)
		x.weight[i] = random_deviate(&seed);
	memcpy(x.before, x.g, x.size * norm_real_size(real));
	return x;
}

static void
fixture_free(struct fixture *x)
{
	void *const arrays[] = { x->x, x->g, x->before, x->weight, x->mean, x->rstd, x->count, x->grad_weight,
		x->grad_bias };

	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		free(arrays[i]);
}

/* The kernels measure by themselves, but by feature. */
static void
measure_slices(struct fixture *x)
{
	unsigned char *packed = reference_array(x->size, sizeof(double));
	const size_t bytes = norm_real_size(x->real);
	size_t n;

	for (size_t s = 0; s < x->slices; s++) {
		n = 0;
		for (size_t i = 0; i < x->size; i++)
			if (slice_of(x, i) == s)
				memcpy(packed + n++ * bytes, (unsigned char *)x->x + i * bytes, bytes);
		x->count[s] = n;
		run_moments(x->real, packed, (struct norm_view){ 1, 1, n }, &x->mean[s], &x->rstd[s]);
		normalize_rstd(&x->rstd[s], EPS, 1, &x->rstd[s]);
	}
	free(packed);
}

static struct norm_pass
pass_of(const struct fixture *x)
{
	static const struct norm_op *const ops[] = { &norm_batch_backward, &norm_batch_backward, &norm_groups_backward,
		&norm_rows_backward, &norm_rows_backward };
	struct norm_pass pass = pass_over(ops[x->way], x->real, x->x, view_of(x));

	if (is_rows(x->way))
		pass.view = (struct norm_view){ 1, x->shape.n, x->shape.c * x->shape.s };
	pass.y = x->g;
	pass.eps = EPS;
	pass.groups = x->shape.groups;
	pass.centered = x->way == BY_ROWS;
	pass.count = x->way == BY_FEATURE ? x->count[0] : 0;
	pass.by = (struct norm_by){ .mean = x->mean, .rstd = x->rstd, .weight = x->weight };
	pass.grad_weight = x->grad_weight;
	pass.grad_bias = x->grad_bias;
	return pass;
}

static size_t
bands_of(const struct fixture *x)
{
	const struct norm_pass pass = pass_of(x);

	return pass.op->cut(&pass).count;
}

static void
run_fixture(struct fixture *x)
{
	struct norm_pass pass;

	if (is_features(x->way))
		measure_slices(x);
	pass = pass_of(x);
	pass.scratch = reference_array(pass.op->scratch(pass.view), sizeof(double));
	x->finite = run(pass);
	free(pass.scratch);
}

static struct reference
reference_of(const struct fixture *x)
{
	struct reference r = reference_new(x->size, x->slices, x->parameters);

	r.eps = EPS;
	r.centered = x->way != BY_ROWS_RMS;
	r.constant = x->way == BY_CONSTANTS;
	for (size_t i = 0; i < x->size; i++) {
		r.x[i] = element_get(x->real, x->x, i);
		r.g[i] = element_get(x->real, x->before, i);
		r.slice[i] = slice_of(x, i);
		r.parameter[i] = parameter_of(x, i);
	}
	for (size_t i = 0; i < x->parameters; i++)
		r.weight[i] = x->weight != NULL ? x->weight[i] : 1;
	for (size_t s = 0; s < x->slices && r.constant; s++) {
		r.mean[s] = x->mean[s];
		r.rstd[s] = x->rstd[s];
	}
	return r;
}

static void
check_near(const struct fixture *x, const char *what, size_t at, WIDE actual, WIDE expected, WIDE allowed)
{
	const struct shape *s = &x->shape;

	if (wide_abs(actual - expected) <= allowed)
		return; /* an assertion writes to a file, even one that holds */
	ck_abort_msg("way %d, type %d, (%zu,%zu,%zu) in %zu: %s %zu is %.17g, not %.17g", (int)x->way, (int)x->real,
	    s->n, s->c, s->s, s->groups, what, at, (double)actual, (double)expected);
}

/*
 * Half a unit of the element's type for its one rounding; a few dozen roundings of double, of the size of what was
 * added up.
 */
static void
check(const struct fixture *x)
{
	const WIDE unit = 0x1p-53;
	struct reference r = reference_of(x);

	reference_backward(&r);
	ck_assert(x->finite);
	for (size_t i = 0; i < x->size; i++)
		check_near(x, "grad_input", i, element_get(x->real, x->g, i), r.grad_x[i],
		    0.5001 * (WIDE)ulp(x->real, (double)r.grad_x[i]) + 40 * unit * r.size_x[i]);
	for (size_t i = 0; i < x->parameters; i++) {
		check_near(x, "grad_weight", i, x->grad_weight[i], r.grad_weight[i], 20 * unit * r.size_weight[i]);
		check_near(x, "grad_bias", i, x->grad_bias[i], r.grad_bias[i], 4 * unit * r.size_bias[i]);
	}
	reference_free(&r);
}

static void
check_shape(enum way way, enum norm_real real, struct shape s, double mean, bool with_weight)
{
	struct fixture x = fixture_new(way, real, s, mean, s.n * 1000 + s.c * 100 + s.s * 10 + s.groups);

	if (!with_weight) {
		free(x.weight);
		x.weight = NULL;
	}
	run_fixture(&x);
	check(&x);
	fixture_free(&x);
}

/* With a weight and without. */
static void
check_all(enum way way, enum norm_real real, struct shape s, double mean)
{
	check_shape(way, real, s, mean, true);
	check_shape(way, real, s, mean, false);
}

START_TEST(every_small_shape)
{
	for (int way = 0; way < WAYS; way++)
		for (size_t n = 1; n <= 4; n++)
			for (size_t c = 1; c <= 4; c++)
				for (size_t s = 1; s <= 4; s++)
					for (size_t groups = 1; groups <= (way == BY_GROUPS ? c : 1); groups++)
						if (c % groups == 0)
							check_all(
							    way, reals[_i], (struct shape){ n, c, s, groups }, 0.5);
}
END_TEST

START_TEST(odd_sizes)
{
	/* Around vectors, short runs, blocks of columns, chunks; more rows than are added plainly. */
	static const struct shape shapes[] = { { 2, 2, 7, 1 }, { 3, 2, 15, 2 }, { 2, 4, 16, 2 }, { 2, 3, 17, 3 },
		{ 1, 2, 511, 1 }, { 2, 2, 513, 2 }, { 1, 3, 1031, 1 }, { 40, 300, 1, 10 }, { 3, 257, 3, 1 },
		{ 130, 5, 2, 5 }, { 65, 3, 9, 1 } };

	for (int way = 0; way < WAYS; way++)
		for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
			check_all(way, reals[_i], shapes[i], -2);
}
END_TEST

/* One half of a large fixture, as a tensor of its own; the caller frees its gradients by weight and bias. */
static struct fixture
run_half(const struct fixture *whole, bool second)
{
	const size_t size = whole->size / 2, at = second ? size * norm_real_size(whole->real) : 0;
	struct fixture half = *whole;

	half.shape.n /= 2;
	half.size = size;
	half.slices /= 2;
	half.x = (unsigned char *)whole->x + at;
	half.g = (unsigned char *)whole->before + at;
	half.grad_weight = reference_array(half.parameters, sizeof(double));
	half.grad_bias = reference_array(half.parameters, sizeof(double));
	run_fixture(&half);
	return half;
}

/*
 * So many elements that sums over samples and rows are made in bands, each with more rows than are added plainly: the
 * gradients of either half by itself, which is one band, and by weight and bias the two halves' together.
 */
START_TEST(bands)
{
	for (enum way way = BY_GROUPS; way <= BY_ROWS; way++) {
		struct fixture x = fixture_new(way, NORM_FLOAT, (struct shape){ 2000, 3, 180, 3 }, 0.5, 3), half[2];
		const size_t bytes = x.size / 2 * norm_real_size(x.real);

		ck_assert_uint_gt(bands_of(&x), 1);
		run_fixture(&x);
		for (int h = 0; h < 2; h++) {
			half[h] = run_half(&x, h);
			ck_assert_uint_eq(bands_of(&half[h]), 1);
			ck_assert_mem_eq((unsigned char *)x.g + (size_t)h * bytes, half[h].g, bytes);
		}
		for (size_t i = 0; i < x.parameters; i++) {
			check_near(&x, "grad_weight", i, x.grad_weight[i],
			    half[0].grad_weight[i] + half[1].grad_weight[i], 1e-10);
			check_near(
			    &x, "grad_bias", i, x.grad_bias[i], half[0].grad_bias[i] + half[1].grad_bias[i], 1e-10);
		}
		for (int h = 0; h < 2; h++) {
			free(half[h].grad_weight);
			free(half[h].grad_bias);
		}
		fixture_free(&x);
	}
}
END_TEST

START_TEST(large_mean)
{
	const struct shape s = { 6, 4, 9, 2 };

	for (int way = 0; way < WAYS; way++) {
		check_all(way, NORM_FLOAT, s, 1e5);
		check_all(way, NORM_DOUBLE, s, 1e5);
		check_all(way, NORM_DOUBLE, s, 1e8);
	}
}
END_TEST

/* A slice of one value, and of values that are all the same, has a deviation of 0: eps alone holds the gradient. */
START_TEST(constant_slices)
{
	for (int way = 0; way < WAYS; way++) {
		struct fixture x = fixture_new(way, NORM_DOUBLE, (struct shape){ 3, 2, 5, 2 }, 0, 1);

		for (size_t i = 0; i < x.size; i++)
			element_set(NORM_DOUBLE, x.x, i, 7);
		run_fixture(&x);
		check(&x);
		fixture_free(&x);
	}
}
END_TEST

static WIDE
difference(struct reference *r, WIDE *at)
{
	const WIDE was = *at, h = (WIDE)1e-9;
	WIDE above, below;

	*at = was + h;
	above = reference_loss(r);
	*at = was - h;
	below = reference_loss(r);
	*at = was;
	return (above - below) / (2 * h);
}

/* The reference's gradient is that of the forward pass: where WIDE has 113 bits, a difference is exact to h squared. */
START_TEST(central_differences)
{
	static const struct shape shapes[] = { { 3, 4, 2, 2 }, { 2, 2, 5, 1 }, { 4, 3, 1, 3 }, { 1, 2, 4, 2 } };
	const WIDE near = sizeof(WIDE) > 10 && DBL_DIG + 15 < 33 ? (WIDE)1e-12 : (WIDE)1e-6;

	for (int way = 0; way < WAYS; way++)
		for (size_t k = 0; k < sizeof(shapes) / sizeof(shapes[0]); k++) {
			struct fixture x = fixture_new(way, NORM_DOUBLE, shapes[k], 0.5, k);
			struct reference r;

			run_fixture(&x);
			r = reference_of(&x);
			reference_backward(&r);
			for (size_t i = 0; i < x.size; i++)
				check_near(&x, "difference by x", i, r.grad_x[i], difference(&r, &r.x[i]),
				    near * (1 + r.size_x[i]));
			for (size_t i = 0; i < x.parameters; i++)
				check_near(&x, "difference by weight", i, r.grad_weight[i],
				    difference(&r, &r.weight[i]), near * (1 + r.size_weight[i]));
			reference_free(&r);
			fixture_free(&x);
		}
}
END_TEST

/* Two shards with the sums of both: what the whole batch has. */
START_TEST(shards_by_the_sums_of_all)
{
	struct fixture x = fixture_new(BY_FEATURE, NORM_DOUBLE, (struct shape){ 5, 3, 4, 1 }, 2, 9);
	const struct norm_view first = { 2, 3, 4 }, second = { 3, 3, 4 };
	const size_t half = 2 * 3 * 4;
	double sum[2][3], product[2][3], scratch[9];
	struct norm_pass shard[2];

	measure_slices(&x);
	for (int i = 0; i < 2; i++) {
		shard[i] = pass_of(&x);
		shard[i].op = &norm_sums;
		shard[i].view = i == 0 ? first : second;
		shard[i].x = (double *)x.x + (i == 0 ? 0 : half);
		shard[i].y = (double *)x.g + (i == 0 ? 0 : half);
		shard[i].grad_bias = sum[i];
		shard[i].grad_weight = product[i];
		(void)run(shard[i]);
	}
	for (size_t f = 0; f < 3; f++) {
		x.grad_bias[f] = sum[0][f] + sum[1][f];
		x.grad_weight[f] = product[0][f] + product[1][f];
	}
	x.finite = true;
	for (int i = 0; i < 2; i++) {
		shard[i].op = &norm_shard_backward;
		shard[i].count = 20;
		shard[i].sum = x.grad_bias;
		shard[i].product = x.grad_weight;
		shard[i].scratch = scratch;
		x.finite &= run(shard[i]);
	}
	for (size_t f = 0; f < 3; f++)
		x.grad_weight[f] *= x.rstd[f];
	check(&x);
	fixture_free(&x);
}
END_TEST

/* In x it spoils its slice; in g likewise; and the other slices alone are as they were. */
START_TEST(what_is_not_finite_shows)
{
	static const double wrong[] = { NAN, INFINITY };

	for (int way = 0; way < WAYS; way++)
		for (int round = 0; round < 4; round++) {
			struct fixture x = fixture_new(way, reals[_i], (struct shape){ 3, 4, 5, 2 }, 0, 4);
			struct fixture good = fixture_new(way, reals[_i], (struct shape){ 3, 4, 5, 2 }, 0, 4);
			const size_t at = 27;

			element_set(x.real, round < 2 ? x.x : x.g, at, wrong[round % 2]);
			run_fixture(&x);
			run_fixture(&good);
			ck_assert(!x.finite);
			ck_assert(!isfinite(element_get(x.real, x.g, at)));
			ck_assert(!isfinite(x.grad_weight[parameter_of(&x, at)]));
			ck_assert(round < 2 || !isfinite(x.grad_bias[parameter_of(&x, at)]));
			for (size_t i = 0; i < x.size; i++)
				if (slice_of(&x, i) != slice_of(&x, at))
					ck_assert(element_get(x.real, x.g, i) == element_get(x.real, good.g, i));
			fixture_free(&x);
			fixture_free(&good);
		}
}
END_TEST

START_TEST(what_overflows_shows)
{
	for (int way = 0; way < WAYS; way++) {
		struct fixture x = fixture_new(way, reals[_i], (struct shape){ 2, 2, 3, 1 }, 0, 5);

		for (size_t i = 0; i < x.parameters; i++)
			x.weight[i] = 1e5;
		for (size_t i = 0; i < x.size; i++)
			element_set(x.real, x.g, i, i % 4 == 0 ? real_max(x.real) : 0);
		run_fixture(&x);
		ck_assert(!x.finite);
		fixture_free(&x);
	}
}
END_TEST

START_TEST(nothing_flows_back_from_what_was_clipped)
{
	static const double y[] = { 0, 1, -1, 1.5, -1.5, 2, -2, 1.25, -1.25, INFINITY };
	unsigned char values[sizeof(y)], g[sizeof(y)];
	const size_t n = sizeof(y) / sizeof(y[0]);
	struct norm_pass pass;

	for (size_t i = 0; i < n; i++) {
		element_set(reals[_i], values, i, y[i]);
		element_set(reals[_i], g, i, 3);
	}
	pass = pass_over(&norm_clip_backward, reals[_i], values, (struct norm_view){ 1, 1, n });
	pass.y = g;
	pass.limit = 1.25;
	(void)run(pass);
	for (size_t i = 0; i < n; i++)
		ck_assert(element_get(reals[_i], g, i) == (fabs(y[i]) > 1.25 ? 0 : 3));
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("backward");
	TCase *t = tcase_create("backward");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, every_small_shape, 0, REALS);
	tcase_add_loop_test(t, odd_sizes, 0, REALS);
	tcase_add_test(t, bands);
	tcase_add_test(t, large_mean);
	tcase_add_test(t, constant_slices);
	tcase_add_test(t, central_differences);
	tcase_add_test(t, shards_by_the_sums_of_all);
	tcase_add_loop_test(t, what_is_not_finite_shows, 0, REALS);
	tcase_add_loop_test(t, what_overflows_shows, 0, REALS);
	tcase_add_loop_test(t, nothing_flows_back_from_what_was_clipped, 0, REALS);
	suite_add_tcase(s, t);
	return s;
}
