/* SPDX-License-Identifier: MIT */
/*
 * A container's limit is its control group's. In a container the group is mounted as the root; outside,
 * /proc/self/cgroup names it. A group's limit also holds for the groups below it, so all up to the root are read.
 */
#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PATH_BYTES 4096

/* The number in a file of one line; SIZE_MAX: there is none ("max", no file). */
static size_t
read_limit(const char *path)
{
	char text[64] = "";
	FILE *f = fopen(path, "re");
	unsigned long long n;
	char *end;

	if (f == NULL)
		return SIZE_MAX;
	if (fgets(text, sizeof(text), f) == NULL)
		text[0] = '\0';
	fclose(f);
	n = strtoull(text, &end, 10);
	return end == text || n == 0 || n > SIZE_MAX ? SIZE_MAX : (size_t)n;
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The least limit in the files `name` of the group at `group` ("/a/b") and of those above it, below `root`. */
static size_t
path_limit(const char *root, const char *group, const char *name)
{
	char path[2 * PATH_BYTES], above[PATH_BYTES], *slash;
	size_t limit = SIZE_MAX;

	snprintf(above, sizeof(above), "%s", group);
	for (;;) {
		snprintf(path, sizeof(path), "%s%s/%s", root, above, name);
		limit = smaller(limit, read_limit(path));
		slash = strrchr(above, '/');
		if (slash == NULL)
			return limit;
		*slash = '\0';
	}
}

/* Whether a comma-separated list has the word. */
static bool
lists(const char *list, const char *word)
{
	const size_t len = strlen(word);

	for (const char *p = list; *p != '\0'; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ',')) {
		if (strcspn(p, ",") == len && strncmp(p, word, len) == 0)
			return true;
	}
	return false;
}

/* The limit of the group that a line "ID:CONTROLLERS:PATH" names. In version 2 CONTROLLERS is empty. */
static size_t
line_limit(char *line, const char *mount)
{
	char *controllers = strchr(line, ':'), *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
	char root[PATH_BYTES];

	if (group == NULL)
		return SIZE_MAX;
	*group++ = '\0';
	group[strcspn(group, "\n")] = '\0';
	if (*++controllers == '\0')
		return smaller(path_limit(mount, group, "memory.max"), path_limit(mount, group, "memory.high"));
	if (!lists(controllers, "memory"))
		return SIZE_MAX;
	snprintf(root, sizeof(root), "%s/memory", mount);
	return path_limit(root, group, "memory.limit_in_bytes");
}

size_t
memory_group_limit(const char *groups, const char *mount)
{
	char line[PATH_BYTES];
	size_t limit = SIZE_MAX;
	FILE *f = fopen(groups, "re");

	if (f == NULL)
		return SIZE_MAX;
	while (fgets(line, sizeof(line), f) != NULL)
		limit = smaller(limit, line_limit(line, mount));
	fclose(f);
	return limit;
}

/* The limit on the address space (ulimit -v). */
static size_t
address_space_limit(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_AS, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : (size_t)limit.rlim_cur;
}

size_t
memory_limit_bytes(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
	size_t limit = pages > 0 && page_bytes > 0 ? (size_t)pages * (size_t)page_bytes : SIZE_MAX;

	limit = smaller(limit, memory_group_limit("/proc/self/cgroup", "/sys/fs/cgroup"));
	return smaller(limit, address_space_limit());
}

/* From this size on malloc maps a block by itself (server/main.c sets the threshold), and large pages pay. */
#define LARGE_BYTES ((size_t)8 << 20)

/* Advises for all pages within the memory; with `whole`, also for the first and last, which may lie partly in it. */
static void
advise(void *memory, size_t size, bool whole)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)memory, before = whole ? 0 : page - 1;
	const uintptr_t first = (at + before) / page * page, end = (at + size + (page - 1 - before)) / page * page;

	/* Only advice: where the system has no large pages it fails, and nothing is lost. */
	(void)madvise((void *)first, end - first, MADV_HUGEPAGE);
}

void
memory_large_pages(void *memory, size_t size)
{
	if (size >= LARGE_BYTES)
		advise(memory, size, false);
}

void
memory_large_pages_of_block(void *block, size_t size)
{
	if (size >= LARGE_BYTES)
		advise(block, size, true);
}
