/* SPDX-License-Identifier: MIT */
/* A look at the tensor of a call (layer/survey.h): what counts, padding, nothing to look at, and no memory. */
#include "layer/survey.h"

#include <float.h>

#include "tests/unit/call_fixture.h"

/* The running means are 1 and 10, the deviations 2 and 10: beyond 3 of them are values above 7 and above 40. */
START_TEST(values_beside_the_running_statistics)
{
	struct fixture f;
	struct survey s;

	begin(&f, batch_norm());
	track(&f);
	f.x[1] = NAN;
	f.x[3] = -INFINITY;
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_survey(&f.call, &s, &f.e), 0);
	ck_assert_uint_eq(s.count, N);
	ck_assert(s.finite[0] == 4 && s.mean[0] == 3 && s.var[0] == 3.5);
	ck_assert(s.tally[0].beyond == 0 && s.tally[0].min == 1 && s.tally[0].max == 6);
	ck_assert(s.finite[1] == 2 && s.mean[1] == 45 && s.var[1] == 225);
	ck_assert(s.tally[1].nan == 1 && s.tally[1].infinite == 1 && s.tally[1].beyond == 1);
	ck_assert(f.x[0] == 1 && f.x[7] == 60);
	end(&f);
}
END_TEST

/* The first and the last sample count. */
START_TEST(padding_is_left_out)
{
	unsigned char keep[N] = { 1, 0, 0, 1 };
	struct fixture f;
	struct survey s;

	begin(&f, batch_norm());
	track(&f);
	f.x[2] = NAN;
	f.call.mask = (struct mask){ keep, N, 1 };
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_survey(&f.call, &s, &f.e), 0);
	ck_assert(s.count == 2 && s.tally[0].nan == 0 && s.mean[0] == 3.5 && s.mean[1] == 35);
	keep[0] = keep[3] = 0;
	ck_assert_int_eq(call_survey(&f.call, &s, &f.e), 0);
	ck_assert(s.count == 0 && s.tally == NULL);
	end(&f);
}
END_TEST

START_TEST(nothing_to_look_at_or_beside)
{
	struct fixture f;
	struct survey s;

	begin(&f, batch_norm());
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_survey(&f.call, &s, &f.e), -1);
	ck_assert_int_eq(f.e.code, ERR_NOT_TRAINED);
	track(&f);
	f.tensor.shape[0] = f.tensor.count = 0;
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_survey(&f.call, &s, &f.e), 0);
	ck_assert(s.count == 0 && s.tally == NULL);
	end(&f);
}
END_TEST

/* Sums beyond doubles are no NaN: the mean lies among the values, and the variance is the largest double. */
START_TEST(moments_beyond_doubles)
{
	struct fixture f;
	struct survey s;

	begin(&f, batch_norm());
	track(&f);
	f.x[0] = f.x[2] = DBL_MAX;
	f.x[1] = -DBL_MAX;
	f.x[3] = DBL_MAX;
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_survey(&f.call, &s, &f.e), 0);
	for (int c = 0; c < C; c++)
		ck_assert(isfinite(s.mean[c]) && s.var[c] == DBL_MAX);
	end(&f);
}
END_TEST

START_TEST(no_memory)
{
	struct fixture f;
	struct survey s;

	begin(&f, batch_norm());
	track(&f);
	budget_init(&f.budget, 8);
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_survey(&f.call, &s, &f.e), -1);
	ck_assert_int_eq(f.e.code, ERR_BODY_TOO_LARGE);
	end(&f);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("call_survey");
	TCase *t = tcase_create("call_survey");

	tcase_add_test(t, values_beside_the_running_statistics);
	tcase_add_test(t, padding_is_left_out);
	tcase_add_test(t, nothing_to_look_at_or_beside);
	tcase_add_test(t, moments_beyond_doubles);
	tcase_add_test(t, no_memory);
	suite_add_tcase(s, t);
	return s;
}
