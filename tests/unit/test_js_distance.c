/* SPDX-License-Identifier: MIT */
/* The Jensen-Shannon distance of two normal distributions, compared with 50 digits. */
#include "layer/js_distance.h"

#include <float.h>
#include <math.h>

#include "tests/unit/unit.h"

/*
 * By mpmath's adaptive quadrature with 50 digits: near and far, wide and narrow, and both sides of the places where the
 * rule changes.
 */
static const struct {
	double shift, excess, distance;
} known[] = {
	{ 0.0, 1e-12, 3.0028060219646230237e-13 },
	{ 0.0, 1e-06, 3.0028045205637702318e-7 },
	{ 1e-09, 0.0, 4.2466090014400954778e-10 },
	{ 1e-06, 1e-06, 5.2010108616481220528e-7 },
	{ 0.001, 0.0, 0.00042466087360270686533 },
	{ 0.1, 0.0, 0.042439584534348121357 },
	{ 0.5, 0.5, 0.21881900406327519897 },
	{ 0.999, 0.999, 0.37396067190436043757 },
	{ 1.0, 0.0, 0.40093293678172272436 },
	{ 0.0, 1.0, 0.19920876568120042877 },
	{ 1.001, 1.5, 0.38464223704207323888 },
	{ 2.0, 0.0, 0.69709694744198623561 },
	{ 3.0, 0.01, 0.87085161582719270795 },
	{ 5.0, 0.0, 0.98751152110405479727 },
	{ 7.24, 0.0, 0.99968951632703755849 },
	{ 9.3, 0.28, 0.99998621345710206726 },
	{ 0.0, 3.0, 0.36576767196541150943 },
	{ 1.0, 8.0, 0.53863103173304745544 },
	{ 0.0, 99.0, 0.79065493429870936006 },
	{ 5.0, 99.0, 0.80843981744558759597 },
	{ 30.0, 99.0, 0.99282048132517712842 },
	{ 0.0, 10000.0, 0.9613598506702398181 },
	{ 100.0, 10000.0, 0.9737372635223348046 },
	{ 700.0, 10000.0, 0.99999999998944371946 },
	{ 0.0, 1000000.0, 0.99379069677410266236 },
	{ 0.0, 1000000000.0, 0.99966726377309992826 },
	{ 100000.0, 1000000000.0, 0.99999615100939828353 },
	{ 0.0, 1000000000000.0, 0.99998441427554001297 },
	{ 1000000.0, 1000000000000.0, 0.99999006889841741378 },
	{ 5000000.0, 1000000000000.0, 0.99999999985534104146 },
	{ 12.0, 0.0, 0.99999999783179480935 },
	{ 17.0, 1.0, 0.99999999999785267907 },
	{ 29.949929037190746, 163016.10343735386, 0.98708278264138231141 },
	{ 6243.789517745529, 480332.482117204, 0.99999999999999999969 },
	{ 15540.836427700338, 14497960.161375273, 0.999998726514245285 },
	{ 456.9285956212606, 130060.48476527512, 0.99258439517656106481 },
	{ 0.10361001688356408, 0.16124751092967848, 0.061480641398203552749 },
	{ 4.020242258197423, 0.2388912051525065, 0.94427630929092810935 },
	{ 1635.4948516444153, 53409.8194438639, 0.99999999999721539313 },
	{ 1252.8647495463244, 4831082.061439825, 0.99717271073240180527 },
	{ 2.2178652171416346, 5.950828400269436, 0.59644111402263836107 },
	{ 0.056996889324578, 1.580784376459436, 0.26514383590109186138 },
	{ 9.458023434690713, 4.564239645342662e-06, 0.9999975600739972179 },
	{ 25.183193682883118, 6495.202084397378, 0.95610821772392012651 },
	{ 0.004857178003507937, 0.0008082214263913166, 0.0020764537162038863483 },
	{ 53.383634393810155, 159.21054420431068, 0.99984712387732438931 },
};

START_TEST(known_distances)
{
	const double found = js_distance(known[_i].shift, known[_i].excess);

	ck_assert_double_eq_tol(found, known[_i].distance, 3e-11 * known[_i].distance);
}
END_TEST

/* The smallest differences have a distance, which is in proportion to them. */
START_TEST(small_distances_keep_their_digits)
{
	const double of_shift = js_distance(1e-9, 0) / 1e-9, of_excess = js_distance(0, 1e-9) / 1e-9;

	for (double small = 1e-10; small > 1e-150; small /= 16) {
		ck_assert_double_eq_tol(js_distance(small, 0) / small, of_shift, 1e-9);
		ck_assert_double_eq_tol(js_distance(0, small) / small, of_excess, 1e-9);
	}
	ck_assert(js_distance(0, 0) == 0);
}
END_TEST

START_TEST(large_distances_are_1)
{
	static const double large[] = { 1e7, 1e20, 1e154, 1e200, DBL_MAX, INFINITY };

	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
		ck_assert(js_distance(large[i], 0) == 1);
		ck_assert(js_distance(large[i], 1e12) == 1);
		ck_assert_double_eq_tol(js_distance(0, large[i]), 1, 0.01);
		for (size_t k = 0; k < sizeof(large) / sizeof(large[0]); k++)
			ck_assert(js_distance(large[i], large[k]) <= 1 && js_distance(large[i], large[k]) > 0.9);
	}
	ck_assert(js_distance(0, 1e100) == 1);
}
END_TEST

/* The distance grows with the shift, and with the excess of concentric ones, also from one rule to the other. */
START_TEST(grows)
{
	for (double excess = 0; excess < 1e13; excess = 1.2 * excess + 0.01) {
		ck_assert(js_distance(0, 1.02 * excess + 1e-4) > js_distance(0, excess));
		for (double shift = 0; shift < 5e6; shift = 1.2 * shift + 0.01) {
			const double here = js_distance(shift, excess);

			ck_assert(here >= 0 && here <= 1);
			ck_assert(js_distance(1.02 * shift + 1e-4, excess) >= here - 5e-11);
		}
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("js_distance");
	TCase *t = tcase_create("js_distance");

	tcase_add_loop_test(t, known_distances, 0, sizeof(known) / sizeof(known[0]));
	tcase_add_test(t, small_distances_keep_their_digits);
	tcase_add_test(t, large_distances_are_1);
	tcase_add_test(t, grows);
	suite_add_tcase(s, t);
	return s;
}
