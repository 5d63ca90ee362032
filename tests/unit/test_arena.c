/* SPDX-License-Identifier: MIT */
/* The arena: aligned memory, zeroed or not, of any size, no two pieces of which overlap, within the budget. */
#include "tests/unit/unit.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"

/* Whether all bytes are `value`. */
static bool
all_are(const unsigned char *bytes, size_t size, unsigned char value)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

START_TEST(all_pieces)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 500, 900, 960, 976, 977, 1000, 4096, 100000 };
	const size_t count = sizeof(sizes) / sizeof(sizes[0]);
	unsigned char *pieces[2000];
	struct arena a;
	bool zeroed;

	arena_init(&a, (size_t)1 << 30);
	for (size_t i = 0; i < 2000; i++) {
		zeroed = i % 3 != 2;
		pieces[i] = (zeroed ? arena_alloc : arena_alloc_unset)(&a, sizes[i * 7 % count]);
		ck_assert(pieces[i] != NULL && (uintptr_t)pieces[i] % alignof(max_align_t) == 0);
		ck_assert(!zeroed || all_are(pieces[i], sizes[i * 7 % count], 0));
		memset(pieces[i], (int)(i % 255) + 1, sizes[i * 7 % count]);
	}
	for (size_t i = 0; i < 2000; i++)
		ck_assert(all_are(pieces[i], sizes[i * 7 % count], (unsigned char)(i % 255 + 1)));
	arena_fini(&a);
}
END_TEST

/* Memory that another arena has used and given back is zeroed all the same. */
START_TEST(memory_used_before)
{
	struct arena a;
	void *p;

	for (int round = 0; round < 50; round++) {
		arena_init(&a, 100000);
		for (int i = 0; i < 20; i++) {
			p = arena_alloc(&a, 200);
			ck_assert(p != NULL && all_are(p, 200, 0));
			memset(p, 0xff, 200);
		}
		arena_fini(&a);
	}
}
END_TEST

START_TEST(budget)
{
	struct arena a;

	arena_init(&a, 1000);
	ck_assert_ptr_null(arena_alloc(&a, 1001));
	ck_assert_ptr_nonnull(arena_alloc(&a, 600));
	ck_assert_ptr_null(arena_alloc(&a, 600));
	ck_assert_ptr_nonnull(arena_alloc(&a, 300));
	ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX));
	ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX - 8));
	ck_assert_ptr_null(arena_alloc_unset(&a, SIZE_MAX - 8));
	ck_assert_ptr_null(arena_alloc_unset(&a, 600));
	ck_assert_ptr_null(arena_array(&a, SIZE_MAX / 2, 3));
	ck_assert_ptr_null(arena_text(&a, "", SIZE_MAX));
	arena_fini(&a);
	ck_assert_ptr_null(arena_alloc(&a, 1));
}
END_TEST

START_TEST(text)
{
	struct arena a;

	arena_init(&a, 1000);
	ck_assert_str_eq(arena_text(&a, "abcdef", 3), "abc");
	ck_assert_str_eq(arena_text(&a, NULL, 0), "");
	arena_fini(&a);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("arena");
	TCase *all = tcase_create("memory");

	tcase_add_test(all, all_pieces);
	tcase_add_test(all, memory_used_before);
	tcase_add_test(all, budget);
	tcase_add_test(all, text);
	suite_add_tcase(suite, all);
	return suite;
}
