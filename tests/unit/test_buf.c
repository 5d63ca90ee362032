/* SPDX-License-Identifier: MIT */
/* Buffers, as they grow: from malloc, and kept apart. */
#include "tests/unit/unit.h"

#include <string.h>

#include "base/buf.h"

#define NUMBERS ((uint64_t)200000)
#define MANY ((size_t)8 * NUMBERS)

static struct budget budget;
static struct budget_share memory;

static void
setup(void)
{
	budget_init(&budget, SIZE_MAX);
	memory = (struct budget_share){ .budget = &budget };
}

/* Appends numbers from 0 on, one by one: 1.6 MB. */
static void
fill(struct buf *b)
{
	for (uint64_t i = 0; i < NUMBERS; i++)
		buf_add(b, &i, sizeof(i));
}

static void
check(const struct buf *b)
{
	uint64_t number;

	ck_assert(!b->failed);
	ck_assert_uint_eq(b->len, MANY);
	ck_assert_uint_eq(memory.bytes, b->size);
	for (uint64_t i = 0; i < NUMBERS; i++) {
		memcpy(&number, b->bytes + 8 * i, sizeof(number));
		ck_assert_uint_eq(number, i);
	}
}

START_TEST(bytes_stay_however_a_buffer_grows)
{
	struct buf b;

	for (int apart = 0; apart < 2; apart++) {
		buf_init(&b, SIZE_MAX);
		buf_count(&b, &memory);
		if (apart)
			buf_keep_apart(&b);
		fill(&b);
		check(&b);
		ck_assert(b.mapped == apart);
		buf_clear(&b); /* keeps the memory, whatever it is */
		fill(&b);
		check(&b);
		buf_fini(&b);
		ck_assert_uint_eq(memory.bytes, 0);
	}
}
END_TEST

START_TEST(a_small_buffer_is_not_mapped)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	buf_keep_apart(&b);
	buf_text(&b, "small");
	ck_assert(!b.mapped && b.len == 5);
	buf_fini(&b);
}
END_TEST

START_TEST(a_refusal_leaves_the_bytes)
{
	struct buf b;

	for (int apart = 0; apart < 2; apart++) {
		buf_init(&b, MANY);
		if (apart)
			buf_keep_apart(&b);
		buf_count(&b, &memory);
		fill(&b);
		buf_byte(&b, 'x');
		ck_assert(b.failed && b.too_long);
		b.failed = false;
		check(&b);
		b.limit = SIZE_MAX;
		budget.bytes_max = memory.bytes;
		(void)buf_reserve(&b, MANY);
		ck_assert(b.failed && b.refused > 0);
		budget.bytes_max = SIZE_MAX;
		b.failed = false;
		check(&b);
		buf_fini(&b);
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("buf");
	TCase *tests = tcase_create("buf");

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, bytes_stay_however_a_buffer_grows);
	tcase_add_test(tests, a_small_buffer_is_not_mapped);
	tcase_add_test(tests, a_refusal_leaves_the_bytes);
	suite_add_tcase(suite, tests);
	return suite;
}
