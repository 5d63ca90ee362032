/* SPDX-License-Identifier: MIT */
/* Seeds of the .npy decoder: every version, datatype and order with several shapes, and the unit tests' bad files. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds/seeds.h"
#include "tests/unit/npy_corpus.h"

#define DATA_MAX 256

/* Adds a file after its setup bytes (fuzz_npy.c): 4096 bytes, cut in a way of its own. */
static void
add_file(struct seeds *s, const char *file, size_t len)
{
	const char setup[3] = { 0, (char)(s->count % 7), (char)(1 + s->count % 5) };
	char *bytes = malloc(sizeof(setup) + len);

	fuzz_check(bytes != NULL, "no memory");
	memcpy(bytes, setup, sizeof(setup));
	memcpy(bytes + sizeof(setup), file, len);
	seeds_add(s, bytes, sizeof(setup) + len);
	free(bytes);
}

/* Adds a file of this version with the dict, and `size` bytes of values. */
static void
add_dict(struct seeds *s, int version, const char *dict, size_t size)
{
	const size_t length = strlen(dict);
	char *file = NULL;
	size_t len;
	FILE *out = open_memstream(&file, &len);

	fuzz_check(out != NULL, "no memory");
	fprintf(out, "\x93NUMPY%c%c%c%c", version, 0, (int)(length & 0xff), (int)(length >> 8));
	if (version > 1)
		fprintf(out, "%c%c", 0, 0);
	fputs(dict, out);
	for (size_t i = 0; i < size && i < DATA_MAX; i++)
		fputc((int)(i + 1), out);
	fclose(out);
	add_file(s, file, len);
	free(file);
}

void
seeds_add_npy(struct seeds *s)
{
	static const char *const descrs[] = { "<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<V2", "|V2" };
	static const size_t sizes[] = { 2, 2, 4, 4, 8, 8, 2, 2 };
	static const struct {
		const char *text;
		size_t count;
	} shapes[] = { { "()", 1 }, { "(3,)", 3 }, { "(2, 3)", 6 }, { "(2, 1, 3)", 6 }, { "(2, 3, 2, 2)", 24 },
		{ "(2,1,2,1,3)", 12 }, { "(0,)", 0 }, { "(3, 0, 2)", 0 }, { "(2L, 2L)", 4 } };
	char dict[200];

	for (size_t i = 0; i < COUNT(descrs) * COUNT(shapes) * 2; i++) {
		snprintf(dict, sizeof(dict), "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }   \n",
		    descrs[i % COUNT(descrs)], i % 2 == i / COUNT(descrs) % 2 ? "True" : "False",
		    shapes[i / COUNT(descrs) % COUNT(shapes)].text);
		add_dict(s, 1 + (int)(i % 3), dict,
		    sizes[i % COUNT(descrs)] * shapes[i / COUNT(descrs) % COUNT(shapes)].count);
	}
	for (size_t i = 0; i < COUNT(npy_bad_dicts); i++)
		add_dict(s, 1, npy_bad_dicts[i].dict, 8);
	for (size_t i = 0; i < COUNT(npy_bad_files); i++)
		add_file(s, npy_bad_files[i].bytes, npy_bad_files[i].len);
}
