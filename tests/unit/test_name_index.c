/* SPDX-License-Identifier: MIT */
/* The index of names: sorting whatever the keys are, duplicates and look-ups even if all names have one hash. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/name_index.h"
#include "codec/sort.h"

#define MANY ((size_t)20000)

/* Numbers that look random (splitmix64, Vigna 2015). */
static uint64_t
mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t
key_random(size_t i)
{
	return mix(i);
}

static uint64_t
key_small(size_t i)
{
	return mix(i) % 1000;
}

static uint64_t
key_high(size_t i)
{
	return mix(i) << 56;
}

static uint64_t
key_same(size_t i)
{
	(void)i;
	return 7;
}

static uint64_t
key_backwards(size_t i)
{
	return MANY - i;
}

START_TEST(sorting)
{
	static uint64_t (*const keys[])(size_t i) = { key_random, key_small, key_high, key_same, key_backwards };
	static const size_t counts[] = { 0, 1, 2, 31, 32, 33, 100, MANY };
	uint64_t (*const key)(size_t i) = keys[_i];
	struct sort_item *items = malloc(MANY * sizeof(*items));
	unsigned char *seen = malloc(MANY);

	ck_assert(items != NULL && seen != NULL);
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		const size_t n = counts[c];

		for (size_t i = 0; i < n; i++)
			items[i] = (struct sort_item){ .key = key(i), .at = (uint32_t)i };
		sort_items(items, n);
		memset(seen, 0, MANY);
		for (size_t i = 0; i < n; i++) {
			ck_assert(i == 0 || items[i - 1].key <= items[i].key);
			ck_assert_uint_eq(items[i].key, key(items[i].at));
			ck_assert_uint_eq(seen[items[i].at]++, 0);
		}
	}
	free(items);
	free(seen);
}
END_TEST

/* Names of 8 characters, one after the other. */
static struct text_span
name_at(const void *owner, uint32_t at)
{
	return (struct text_span){ (const char *)owner + (size_t)8 * at, at % 7 == 0 ? 7 : 8 };
}

/* The text of `n` names; number `twin` is number `of` once more. */
static char *
make_names(size_t n, size_t twin, size_t of)
{
	char *text = malloc(8 * n + 1);

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < n; i++)
		snprintf(text + 8 * i, 9, "%08zx", (size_t)mix(i == twin ? of : i) & 0xffffffff);
	return text;
}

static void
add_names(struct name_index *x, const char *text, size_t n, bool same_hash)
{
	name_index_init(x, name_at, text, NULL);
	for (size_t i = 0; i < n; i++)
		name_index_add(x, same_hash ? 1 : mix(mix(i) & 0xffffffff), (uint32_t)i);
	ck_assert(!x->items.failed);
}

START_TEST(look_ups)
{
	char *text = make_names(MANY, MANY, 0);
	struct name_index x;
	uint32_t at;

	add_names(&x, text, MANY, _i != 0);
	ck_assert_int_eq(name_index_sort(&x, &at), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		ck_assert_int_eq(name_index_find(&x, _i != 0 ? 1 : mix(mix(i) & 0xffffffff), name_at(text, i), &at), 0);
		ck_assert_uint_eq(at, i);
	}
	ck_assert_int_lt(name_index_find(&x, 1, (struct text_span){ "", 0 }, &at), 0);
	ck_assert_int_lt(name_index_find(&x, 2, name_at(text, 0), &at), 0);
	name_index_fini(&x);
	free(text);
}
END_TEST

/* Both numbers are the same modulo 7, so that their names have one length. */
START_TEST(duplicates)
{
	static const size_t twins[][2] = { { 1, 8 }, { 7, 19299 }, { 13, 19997 } };
	struct name_index x;
	uint32_t at;

	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		char *text = make_names(MANY, twins[i][1], twins[i][0]);

		name_index_init(&x, name_at, text, NULL);
		for (size_t k = 0; k < MANY; k++)
			name_index_add(&x, _i != 0 ? 1 : mix(mix(k == twins[i][1] ? twins[i][0] : k)), (uint32_t)k);
		ck_assert_int_lt(name_index_sort(&x, &at), 0);
		ck_assert_uint_eq(at, twins[i][1]);
		name_index_fini(&x);
		free(text);
	}
}
END_TEST

START_TEST(no_names)
{
	struct name_index x;
	uint32_t at;

	name_index_init(&x, name_at, NULL, NULL);
	ck_assert_int_eq(name_index_sort(&x, &at), 0);
	ck_assert_int_lt(name_index_find(&x, 1, (struct text_span){ "", 0 }, &at), 0);
	name_index_fini(&x);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("name_index");
	TCase *sort = tcase_create("sort"), *names = tcase_create("names");

	tcase_add_loop_test(sort, sorting, 0, 5);
	tcase_add_loop_test(names, look_ups, 0, 2);
	tcase_add_loop_test(names, duplicates, 0, 2);
	tcase_add_test(names, no_names);
	suite_add_tcase(suite, sort);
	suite_add_tcase(suite, names);
	return suite;
}
