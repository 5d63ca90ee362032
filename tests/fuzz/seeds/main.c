/* SPDX-License-Identifier: MIT */
/* Writes the seeds of every target: seeds FOLDER makes FOLDER/TARGET/NUMBER. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds/seeds.h"

#define PATH_SIZE 4096

static const struct {
	const char *target;
	void (*add)(struct seeds *s);
} makers[] = {
	{ "json_scan", seeds_add_json_scan },
	{ "decimal", seeds_add_decimal },
	{ "npy", seeds_add_npy },
	{ "oip", seeds_add_oip },
	{ "safetensors", seeds_add_safetensors },
};

static void
fail(const char *path)
{
	perror(path);
	exit(EXIT_FAILURE);
}

static void
make_folder(const char *path)
{
	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		fail(path);
}

void
seeds_add(struct seeds *s, const void *bytes, size_t len)
{
	char path[PATH_SIZE];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%05u", s->folder, s->count++);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(bytes, 1, len, f) != len || fclose(f) != 0)
		fail(path);
}

int
main(int argc, char **argv)
{
	char folder[PATH_SIZE / 2];
	struct seeds s;

	if (argc != 2) {
		fprintf(stderr, "usage: seeds FOLDER\n");
		return 2;
	}
	make_folder(argv[1]);
	for (size_t i = 0; i < COUNT(makers); i++) {
		snprintf(folder, sizeof(folder), "%s/%s", argv[1], makers[i].target);
		make_folder(folder);
		s = (struct seeds){ .folder = folder };
		makers[i].add(&s);
		printf("%s: %u seeds\n", makers[i].target, s.count);
	}
	return 0;
}
