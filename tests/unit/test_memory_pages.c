/* SPDX-License-Identifier: MIT */
/*
 * Large pages (base/memory.h): asked for of large memory alone, whatever is in it stays, and nothing beyond it is
 * touched.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "tests/unit/unit.h"

/*
 * Whether the mapping that `at` lies in is marked for large pages: "hg" among its flags. -1 where the system does not
 * say.
 */
static int
is_marked(const void *at)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long long from, to;
	char line[4096];
	bool here = false;
	int marked = -1;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%llx-%llx ", &from, &to) == 2)
			here = from <= (uintptr_t)at && (uintptr_t)at < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			marked = strstr(line, " hg") != NULL;
	if (f != NULL)
		fclose(f);
	return access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) == 0 ? marked : -1;
}

START_TEST(large_memory_alone)
{
	const size_t large = (size_t)32 << 20, small = (size_t)1 << 20;
	unsigned char *memory = malloc(large), *other = malloc(small);

	ck_assert_ptr_nonnull(memory);
	ck_assert_ptr_nonnull(other);
	memset(memory, 0xa5, large);
	memory_large_pages(memory + 3, large - 3);
	memory_large_pages(other, small);
	if (is_marked(memory + large / 2) >= 0) {
		ck_assert_int_eq(is_marked(memory + large / 2), 1);
		ck_assert_int_eq(is_marked(other + small / 2), 0);
	}
	for (size_t i = 0; i < large; i++)
		if (memory[i] != 0xa5)
			ck_abort_msg("byte %zu has changed", i);
	memory_large_pages(NULL, 0);
	free(memory);
	free(other);
}
END_TEST

/* The bytes of the mapping that `at` lies in; 0 where the system does not say. */
static size_t
mapping_bytes(const void *at)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long long from, to;
	char line[4096];
	size_t bytes = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%llx-%llx ", &from, &to) == 2 && from <= (uintptr_t)at && (uintptr_t)at < to)
			bytes = (size_t)(to - from);
	if (f != NULL)
		fclose(f);
	return bytes;
}

/* It stays one mapping, marked as a whole, also when it grows; what is in it stays. */
START_TEST(a_block_that_grows)
{
	size_t size = ((size_t)9 << 20) + 24;
	unsigned char *block = NULL;

	for (int i = 0; i < 4; i++, size *= 2) {
		block = realloc(block, size);
		ck_assert_ptr_nonnull(block);
		memory_large_pages_of_block(block, size);
		if (i > 0)
			ck_assert(block[0] == 0xa5 && block[size / 2 - 1] == 0xa5);
		memset(block, 0xa5, size);
		if (is_marked(block) < 0)
			continue;
		ck_assert_int_eq(is_marked(block), 1);
		ck_assert_int_eq(is_marked(block + size - 1), 1);
		ck_assert_uint_ge(mapping_bytes(block), size);
	}
	memory_large_pages_of_block(NULL, 0);
	free(block);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("memory_pages");
	TCase *c = tcase_create("memory_pages");

	tcase_add_test(c, large_memory_alone);
	tcase_add_test(c, a_block_that_grows);
	suite_add_tcase(s, c);
	return s;
}
