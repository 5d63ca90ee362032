/* SPDX-License-Identifier: MIT */
/* The permutation of samples: it is one, it comes back, it favours nobody, and it never changes. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "norm/shuffle.h"
#include "tests/unit/unit.h"

#define N_MAX 70

START_TEST(every_order_is_a_permutation)
{
	size_t order[N_MAX], n, i;
	bool seen[N_MAX];
	uint64_t seed;

	for (n = 0; n <= N_MAX; n++)
		for (seed = 0; seed < 50; seed++) {
			memset(seen, 0, sizeof(seen));
			shuffle_order(seed * UINT64_C(0x123456789abcdef), n, order);
			for (i = 0; i < n; i++) {
				ck_assert_uint_lt(order[i], n);
				ck_assert(!seen[order[i]]);
				seen[order[i]] = true;
			}
		}
}
END_TEST

/* A client that keeps a seed relies on these for ever. */
START_TEST(the_order_of_a_seed_never_changes)
{
	static const size_t of_0[] = { 6, 3, 2, 9, 8, 1, 4, 7, 0, 5 }, of_42[] = { 0, 9, 5, 8, 6, 4, 7, 2, 1, 3 },
			    of_max[] = { 3, 4, 2, 7, 5, 0, 8, 1, 9, 6 };
	size_t order[10];

	shuffle_order(0, 10, order);
	ck_assert_mem_eq(order, of_0, sizeof(of_0));
	shuffle_order(42, 10, order);
	ck_assert_mem_eq(order, of_42, sizeof(of_42));
	shuffle_order(UINT64_MAX, 10, order);
	ck_assert_mem_eq(order, of_max, sizeof(of_max));
}
END_TEST

/*
 * Samples of every size and number: each place has the sample that the order names, the order is as it was, and back
 * again.
 */
START_TEST(samples_move_and_come_back)
{
	static const size_t sizes[] = { 1, 2, 3, 8, 24, 129 };
	unsigned char *before, *x, scratch[129];
	size_t order[N_MAX], kept[N_MAX], s, n, i;

	for (s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		for (n = 0; n <= N_MAX; n++) {
			const size_t bytes = sizes[s];

			before = malloc(n * bytes + 1);
			x = malloc(n * bytes + 1);
			for (i = 0; i < n * bytes; i++)
				x[i] = before[i] = (unsigned char)(i * 7 + i / 251);
			shuffle_order(n, n, order);
			memcpy(kept, order, sizeof(order));
			shuffle_samples(x, n, bytes, order, scratch);
			for (i = 0; i < n; i++)
				ck_assert_mem_eq(x + i * bytes, before + kept[i] * bytes, bytes);
			ck_assert_mem_eq(order, kept, n * sizeof(*order));
			shuffle_undo(x, n, bytes, order, scratch);
			ck_assert_mem_eq(x, before, n * bytes);
			ck_assert_mem_eq(order, kept, n * sizeof(*order));
			free(before);
			free(x);
		}
}
END_TEST

/* The number of an order among all of them (Lehmer). */
static size_t
rank_of(const size_t *order, size_t n)
{
	size_t rank = 0, smaller, i, k;

	for (i = 0; i < n; i++) {
		for (smaller = 0, k = i + 1; k < n; k++)
			smaller += order[k] < order[i];
		rank = rank * (n - i) + smaller;
	}
	return rank;
}

/*
 * Over many seeds every order comes about as often as any other. Chi squared with f degrees of freedom has mean f and
 * variance 2 f; the seeds are fixed, so that this holds or does not, for ever.
 */
START_TEST(no_order_is_favoured)
{
	enum { SEEDS = 240000 };
	static const size_t orders[] = { 1, 1, 2, 6, 24, 120 };
	size_t n, i;

	for (n = 2; n <= 5; n++) {
		const double expected = (double)SEEDS / (double)orders[n], freedom = (double)orders[n] - 1;
		size_t count[120] = { 0 }, order[5];
		double chi_squared = 0;
		uint64_t seed;

		for (seed = 0; seed < SEEDS; seed++) {
			shuffle_order(seed, n, order);
			count[rank_of(order, n)]++;
		}
		for (i = 0; i < orders[n]; i++)
			chi_squared += ((double)count[i] - expected) * ((double)count[i] - expected) / expected;
		ck_assert_msg((chi_squared - freedom) * (chi_squared - freedom) < 16 * 2 * freedom, "%zu samples: %g",
		    n, chi_squared);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("shuffle");
	TCase *t = tcase_create("shuffle");

	tcase_add_test(t, every_order_is_a_permutation);
	tcase_add_test(t, the_order_of_a_seed_never_changes);
	tcase_add_test(t, samples_move_and_come_back);
	tcase_add_test(t, no_order_is_favoured);
	suite_add_tcase(s, t);
	return s;
}
