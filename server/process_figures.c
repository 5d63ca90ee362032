/* SPDX-License-Identifier: MIT */
#include "server/process_figures.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static double
seconds_of(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static double
now_s(clockid_t clock)
{
	struct timespec t = { 0 };

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* When the system booted, since 1970. It is found once: by clocks that run apart, the start would seem to move. */
static double boot_s;
static pthread_once_t boot_once = PTHREAD_ONCE_INIT;

static void
find_boot(void)
{
	boot_s = now_s(CLOCK_REALTIME) - now_s(CLOCK_BOOTTIME);
}

/* Since Linux 6.2 the size of /proc/self/fd is the number of descriptors; before, they have to be listed. */
static bool
count_descriptors(double *out)
{
	struct stat st;
	DIR *dir;

	*out = 0;
	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0) {
		*out = (double)st.st_size;
		return true;
	}
	dir = opendir("/proc/self/fd");
	if (dir == NULL)
		return false;
	for (const struct dirent *d = readdir(dir); d != NULL; d = readdir(dir))
		*out += d->d_name[0] != '.';
	closedir(dir);
	--*out; /* the one that lists them */
	return true;
}

/* Field `n` of proc(5)'s stat, from 4 on; `end` is behind the name, which may hold anything. 0 where it is missing. */
static double
stat_field(const char *end, unsigned n)
{
	for (; n > 2 && *end != '\0'; n--)
		end += strcspn(end, " ") + (end[strcspn(end, " ")] != '\0');
	return strtod(end, NULL);
}

static bool
parse_stat(const char *line, struct process_figures *out)
{
	const char *end = strrchr(line, ')');

	if (end == NULL)
		return false;
	out->threads = stat_field(end, 20);
	out->virtual_bytes = stat_field(end, 23);
	out->resident_bytes = stat_field(end, 24) * (double)sysconf(_SC_PAGESIZE);
	out->started_s = boot_s + stat_field(end, 22) / (double)sysconf(_SC_CLK_TCK);
	return true;
}

static bool
read_stat(struct process_figures *out)
{
	char line[1024];
	FILE *f = fopen("/proc/self/stat", "re");
	bool read;

	if (f == NULL)
		return false;
	read = fgets(line, sizeof(line), f) != NULL && parse_stat(line, out);
	(void)fclose(f);
	return read;
}

void
process_measure(struct process_figures *out)
{
	struct rusage used = { 0 };
	struct rlimit limit = { 0 };

	*out = (struct process_figures){ 0 };
	(void)pthread_once(&boot_once, find_boot);
	(void)getrusage(RUSAGE_SELF, &used);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	out->cpu_s = seconds_of(&used.ru_utime) + seconds_of(&used.ru_stime);
	out->descriptors_max = (double)limit.rlim_cur;
	out->has_descriptors = count_descriptors(&out->descriptors);
	out->has_stat = read_stat(out);
}
