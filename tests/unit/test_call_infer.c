/* SPDX-License-Identifier: MIT */
/* What inference lets pass (layer/call.h), without a request or a store. */
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

Suite *
unit_suite(void)
{
	Suite *s = suite_create("call_infer");
	TCase *c = tcase_create("call_infer");

	tcase_add_loop_test(c, infinity_passes_where_it_may, 0, LAYERS);
	tcase_add_test(c, overflow_passes_where_it_may);
	suite_add_tcase(s, c);
	return s;
}
