/* SPDX-License-Identifier: MIT */
/* What inference lets pass, and what it observes (layer/call.h), without a request or a store. */
#include <float.h>

#include "tests/unit/call_fixture.h"

/* What is normalized together, and how. */
enum layer { BY_RUNNING, BY_BATCH, BY_INSTANCE, BY_ROW, LAYERS };

static void
begin_layer(struct fixture *f, enum layer layer)
{
	struct definition d = batch_norm();

	d.track_running_stats = layer == BY_RUNNING;
	if (layer == BY_INSTANCE)
		d.kind = KIND_INSTANCE_NORM;
	if (layer == BY_ROW)
		d = (struct definition){ .kind = KIND_LAYER_NORM, .normalized_rank = 1, .normalized_shape = { C } };
	begin(f, d);
	track(f);
	if (layer == BY_INSTANCE) {
		f->tensor.rank = 3;
		f->tensor.shape[0] = 1;
		f->tensor.shape[2] = N;
	}
}

/* Whether element `i` is among those of the second channel, or row. */
static bool
is_second(enum layer layer, size_t i)
{
	return (layer == BY_ROW ? i / C : layer == BY_INSTANCE ? i / N : i % C) == 1;
}

/* Values that are not finite are refused, unless they may pass; what is normalized without them stays as it is. */
START_TEST(infinity_passes_where_it_may)
{
	struct fixture f;

	for (int allowed = 0; allowed < 2; allowed++) {
		begin_layer(&f, _i);
		for (size_t i = 0; i < N * C; i++)
			if (is_second(_i, i))
				f.x[i] = i % 5 == 0 ? NAN : INFINITY;
		f.call.non_finite_ok = allowed;
		ck_assert_msg(call_fit(&f.call, &f.e) == 0, "%s", f.e.detail);
		ck_assert_int_eq(call_infer(&f.call, &f.e), allowed ? 0 : -1);
		ck_assert(allowed || f.e.code == ERR_NON_FINITE_INPUT);
		for (size_t i = 0; allowed && i < N * C; i++)
			ck_assert_msg((isfinite(f.x[i]) != 0) != is_second(_i, i), "element %zu is %g", i, f.x[i]);
		end(&f);
	}
}
END_TEST

/* Results that do not fit their datatype become infinity. */
START_TEST(overflow_passes_where_it_may)
{
	static const double weight[C] = { 1, DBL_MAX };
	struct fixture f;

	begin(&f, batch_norm());
	track(&f);
	f.call.parameters.weight = weight;
	f.call.non_finite_ok = true;
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_infer(&f.call, &f.e), 0);
	ck_assert_double_eq(f.x[0], 0);
	ck_assert_double_eq(f.x[1], 0);
	ck_assert_double_eq(f.x[3], DBL_MAX);
	ck_assert_double_eq(f.x[5], INFINITY);
	end(&f);
}
END_TEST

static void
check_observed(const struct call *c, uint64_t count, const double *mean, const double *var)
{
	ck_assert_uint_eq(c->observed.count, count);
	for (size_t k = 0; k < C && count > 0; k++) {
		ck_assert_double_eq_tol(c->observed.mean[k], mean[k], 1e-12);
		ck_assert_double_eq_tol(c->observed.var[k], var[k], 1e-12);
	}
}

/* The moments of the tensor as it was, if they are asked for; the output is the same. */
START_TEST(infer_observes_the_tensor)
{
	static const double mean[C] = { 3, 30 }, var[C] = { 3.5, 350 };
	struct fixture f;

	for (int asked = 0; asked < 2; asked++) {
		begin_layer(&f, BY_RUNNING);
		f.call.observe = asked;
		f.call.observed.count = 7;
		ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
		ck_assert_int_eq(call_infer(&f.call, &f.e), 0);
		check_observed(&f.call, asked ? N : 0, mean, var);
		check_normalized(f.x, f.running_mean, f.running_var);
		end(&f);
	}
}
END_TEST

/* Instance normalization by running statistics: a channel's values of all samples. */
START_TEST(infer_observes_instances)
{
	static const double mean[C] = { 8.25, 24.75 }, var[C] = { 58.1875, 523.6875 };
	struct fixture f;

	begin_layer(&f, BY_INSTANCE);
	f.definition.track_running_stats = f.call.observe = true;
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_infer(&f.call, &f.e), 0);
	check_observed(&f.call, N, mean, var);
	end(&f);
}
END_TEST

/* A single sample: each channel's value, unless one is not finite or too large. The output has the same bits. */
START_TEST(infer_observes_a_single_sample)
{
	static const double others[] = { 7, NAN, INFINITY, -0x1p510 };
	const double var[C] = { 0 };
	double sample[C], unobserved[C];
	struct fixture f;

	for (int asked = 0; asked < 2; asked++) {
		begin_layer(&f, BY_RUNNING);
		f.tensor.shape[0] = 1;
		f.tensor.count = C;
		f.x[1] = others[_i];
		memcpy(sample, f.x, sizeof(sample));
		f.call.observe = asked;
		f.call.non_finite_ok = true;
		ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
		ck_assert_int_eq(call_infer(&f.call, &f.e), 0);
		check_observed(&f.call, asked && sample[1] == 7, sample, var);
		if (asked)
			ck_assert_mem_eq(f.x, unobserved, sizeof(unobserved));
		memcpy(unobserved, f.x, sizeof(unobserved));
		end(&f);
	}
}
END_TEST

/* By the tensor's own statistics there is nothing to compare with. */
START_TEST(infer_observes_nothing_where_nothing_is_tracked)
{
	struct fixture f;

	begin_layer(&f, _i);
	f.call.observe = true;
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_infer(&f.call, &f.e), 0);
	ck_assert_uint_eq(f.call.observed.count, 0);
	end(&f);
}
END_TEST

/* Samples 1 and 3 are padding, which holds anything. */
START_TEST(infer_observes_no_padding)
{
	static const double mean[C] = { 2, 20 }, var[C] = { 1, 100 };
	unsigned char keep[N] = { 1, 0, 1, 0 };
	struct fixture f;

	begin_layer(&f, BY_RUNNING);
	f.x[C] = NAN;
	f.x[3 * C + 1] = DBL_MAX;
	f.call.observe = true;
	f.call.mask = (struct mask){ keep, N, 1 };
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_infer(&f.call, &f.e), 0);
	check_observed(&f.call, 2, mean, var);
	end(&f);
}
END_TEST

/* A value that is not finite, or too large to be merged, leaves out the whole tensor, wherever it is. */
START_TEST(infer_observes_what_can_be_merged)
{
	static const double values[] = { NAN, INFINITY, -INFINITY, DBL_MAX, -0x1p512 };
	struct fixture f;

	for (size_t i = 0; i < N * C; i++) {
		begin_layer(&f, BY_RUNNING);
		f.x[i] = values[_i];
		f.call.observe = f.call.non_finite_ok = true;
		ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
		ck_assert_int_eq(call_infer(&f.call, &f.e), 0);
		ck_assert_uint_eq(f.call.observed.count, 0);
		end(&f);
	}
}
END_TEST

/* An observation may lack memory; the answer does not. */
START_TEST(infer_without_memory_to_observe)
{
	size_t bytes = 0;
	struct fixture f;
	bool observed = false;

	for (; !observed; bytes += 8) {
		begin_layer(&f, BY_RUNNING);
		f.budget.bytes_max = bytes;
		f.call.observe = true;
		ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
		if (call_infer(&f.call, &f.e) == 0)
			check_normalized(f.x, f.running_mean, f.running_var);
		else
			ck_assert_uint_lt(bytes, C * sizeof(double));
		observed = f.call.observed.count > 0;
		end(&f);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("call_infer");
	TCase *c = tcase_create("call_infer");

	tcase_add_loop_test(c, infinity_passes_where_it_may, 0, LAYERS);
	tcase_add_test(c, overflow_passes_where_it_may);
	tcase_add_test(c, infer_observes_the_tensor);
	tcase_add_test(c, infer_observes_instances);
	tcase_add_loop_test(c, infer_observes_a_single_sample, 0, 4);
	tcase_add_loop_test(c, infer_observes_nothing_where_nothing_is_tracked, BY_BATCH, LAYERS);
	tcase_add_test(c, infer_observes_no_padding);
	tcase_add_loop_test(c, infer_observes_what_can_be_merged, 0, 5);
	tcase_add_test(c, infer_without_memory_to_observe);
	suite_add_tcase(s, c);
	return s;
}
