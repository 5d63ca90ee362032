/* SPDX-License-Identifier: MIT */
/* How a batch is cut into ghost batches: as torch.chunk cuts. */
#include "layer/ghosts.h"
#include "tests/unit/unit.h"

/*
 * torch.chunk(x, k) gives pieces of ceil(n / k) samples, the last of which may be smaller, so perhaps fewer than k of
 * them. Ghost batches of at most `each` samples ask for k = ceil(n / each), and shuffling for at least two.
 */
static void
check(size_t n, size_t each, size_t least)
{
	struct ghosts g = ghosts_cut(n, each, least);
	size_t chunks = each == 0 ? 1 : (n + each - 1) / each, size;

	if (chunks < least)
		chunks = least;
	size = (n + chunks - 1) / chunks;
	ck_assert_uint_eq(g.samples, n);
	ck_assert_uint_eq(g.each, size);
	ck_assert_uint_eq(g.count, (n + size - 1) / size);
	ck_assert_uint_ge(g.count, least < n ? least : n);
	ck_assert(each == 0 || g.each <= each);
	ck_assert_uint_lt((g.count - 1) * g.each, n);
	ck_assert_uint_ge(g.count * g.each, n);
}

START_TEST(as_torch_chunk_does)
{
	size_t n, each;

	for (n = 1; n <= 40; n++)
		for (each = 0; each <= 45; each++) {
			check(n, each, 1);
			check(n, each, 2);
		}
}
END_TEST

START_TEST(no_samples_are_no_pieces)
{
	ck_assert_uint_eq(ghosts_cut(0, 0, 1).count, 0);
	ck_assert_uint_eq(ghosts_cut(0, 3, 1).count, 0);
	ck_assert_uint_eq(ghosts_cut(0, 3, 2).count, 0);
}
END_TEST

/* A ghost batch larger than any batch; as many samples as there are numbers. */
START_TEST(sizes_without_overflow)
{
	ck_assert_uint_eq(ghosts_cut(7, SIZE_MAX, 1).count, 1);
	ck_assert_uint_eq(ghosts_cut(SIZE_MAX, SIZE_MAX, 1).each, SIZE_MAX);
	ck_assert_uint_eq(ghosts_cut(SIZE_MAX, 2, 1).count, SIZE_MAX / 2 + 1);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("ghosts");
	TCase *t = tcase_create("ghosts");

	tcase_add_test(t, as_torch_chunk_does);
	tcase_add_test(t, no_samples_are_no_pieces);
	tcase_add_test(t, sizes_without_overflow);
	suite_add_tcase(s, t);
	return s;
}
