/* SPDX-License-Identifier: MIT */
/* Seeds of the safetensors reader: the unit tests' good and bad files, and a file of every type. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds/seeds.h"
#include "tests/unit/safetensors_corpus.h"

/* Setup bytes (fuzz_safetensors.c): no limits; the length is to be put right. */
#define AS_IT_IS '\0'
#define RIGHT_LENGTH '\x80'

/* Adds a file, or a header, a NUL and `data` bytes that count, cut in a way of its own. */
static void
add_file(struct seeds *s, char setup, const char *bytes, size_t len, size_t data)
{
	char *file = NULL;
	size_t file_len;
	FILE *out = open_memstream(&file, &file_len);

	fuzz_check(out != NULL, "no memory");
	fprintf(out, "%c%c%c", setup, (int)(s->count % 7), (int)(1 + s->count % 5));
	fwrite(bytes, 1, len, out);
	if (setup == RIGHT_LENGTH)
		fputc('\0', out);
	for (size_t i = 0; i < data; i++)
		fputc((int)(i * 7 % 100), out);
	fclose(out);
	seeds_add(s, file, file_len);
	free(file);
}

void
seeds_add_safetensors(struct seeds *s)
{
	static const struct {
		const char *name;
		size_t bytes; /* of four values */
	} types[] = { { "BOOL", 4 }, { "F4", 2 }, { "F6_E2M3", 3 }, { "U8", 4 }, { "I8", 4 }, { "F8_E4M3", 4 },
		{ "I16", 8 }, { "U16", 8 }, { "F16", 8 }, { "BF16", 8 }, { "I32", 16 }, { "U32", 16 }, { "F32", 16 },
		{ "C64", 32 }, { "F64", 32 }, { "I64", 32 }, { "U64", 32 } };
	char header[200];

	for (size_t i = 0; i < COUNT(types); i++) {
		snprintf(header, sizeof(header),
		    "{\"b\":{\"dtype\":\"%s\",\"shape\":[2,2],\"data_offsets\":[1,%zu]},"
		    "\"a\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]}}",
		    types[i].name, 1 + types[i].bytes);
		add_file(s, RIGHT_LENGTH, header, strlen(header), 1 + types[i].bytes);
	}
	for (size_t i = 0; i < COUNT(safetensors_good_headers); i++)
		add_file(s, RIGHT_LENGTH, safetensors_good_headers[i].header,
		    strlen(safetensors_good_headers[i].header), safetensors_good_headers[i].data);
	for (size_t i = 0; i < COUNT(safetensors_bad_headers); i++)
		add_file(s, RIGHT_LENGTH, safetensors_bad_headers[i].header, strlen(safetensors_bad_headers[i].header),
		    safetensors_bad_headers[i].data);
	for (size_t i = 0; i < COUNT(safetensors_files); i++)
		add_file(s, AS_IT_IS, safetensors_files[i].bytes, safetensors_files[i].len, 0);
}
