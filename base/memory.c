/*
 * A container's limit is its control group's. In a container the group is mounted as the root; outside, /proc/self/cgroup names it. A
 * group's limit holds for those below it, so all on the way to the root are looked at.
 */
#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATH_BYTES 4096

/* The number in a file of one line; SIZE_MAX where there is none ("max", no file). */
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

/* The least limit of the group at `group` ("/a/b") and of those above it, of version 2's single hierarchy. */
static size_t
group_limit(char *group)
{
	char path[PATH_BYTES + 64], *slash;
	size_t limit = SIZE_MAX;

	for (;;) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", group);
		limit = smaller(limit, read_limit(path));
		slash = strrchr(group, '/');
		if (slash == NULL)
			return limit;
		*slash = '\0';
	}
}

static size_t
own_group_limit(void)
{
	char line[PATH_BYTES], *group = NULL;
	FILE *f = fopen("/proc/self/cgroup", "re");

	if (f == NULL)
		return SIZE_MAX;
	while (group == NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "0::", 3) == 0)
			group = line + 3;
	fclose(f);
	if (group == NULL)
		return SIZE_MAX;
	group[strcspn(group, "\n")] = '\0';
	return group_limit(group);
}

size_t
memory_limit_bytes(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
	size_t limit = pages > 0 && page_bytes > 0 ? (size_t)pages * (size_t)page_bytes : SIZE_MAX;

	limit = smaller(limit, own_group_limit());
	/* Version 1, where the root of the mount is the container's own group. */
	return smaller(limit, read_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
}

/* From what size on memory is the tensor's alone, by malloc's threshold (server/main.c), and large pages pay. */
#define LARGE_BYTES ((size_t)8 << 20)

void
memory_large_pages(void *memory, size_t size)
{
#ifdef MADV_HUGEPAGE
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const uintptr_t first = ((uintptr_t)memory + page - 1) / page * page, end = ((uintptr_t)memory + size) / page * page;

	/* Advice alone: a system without them says so, and nothing is lost. */
	if (size >= LARGE_BYTES)
		(void)madvise((void *)first, end - first, MADV_HUGEPAGE);
#else
	(void)memory;
	(void)size;
#endif
}
