/* SPDX-License-Identifier: MIT */
/* Seeds of the JSON scanner: the documents of the unit tests, and some that are made of repetitions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_scan.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds/seeds.h"
#include "tests/unit/json_corpus.h"

/* Adds a document after its setup bytes (fuzz_json_scan.c): all slots, 4096 bytes, cut in a way of its own. */
static void
add_document(struct seeds *s, const char *text, size_t len)
{
	const char setup[4] = { 0, 0, (char)(s->count % 7), (char)(1 + s->count % 5) };
	char *bytes = malloc(sizeof(setup) + len);

	fuzz_check(bytes != NULL, "no memory");
	memcpy(bytes, setup, sizeof(setup));
	memcpy(bytes + sizeof(setup), text, len);
	seeds_add(s, bytes, sizeof(setup) + len);
	free(bytes);
}

static void
add_refused(struct seeds *s, const char *marked)
{
	const char *mark = strchr(marked, '@');
	char *text = fuzz_text(marked, strlen(marked));

	memcpy(text + (mark - marked), mark + 1, strlen(mark));
	add_document(s, text, strlen(text));
	free(text);
}

/* before, `open` n times, `inner`, `close` n times, after. */
struct repetition {
	const char *before, *open;
	int n;
	const char *inner, *close, *after;
};

static void
add_repetition(struct seeds *s, const struct repetition *r)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fuzz_check(out != NULL, "no memory");
	fputs(r->before, out);
	for (int i = 0; i < r->n; i++)
		fputs(r->open, out);
	fputs(r->inner, out);
	for (int i = 0; i < r->n; i++)
		fputs(r->close, out);
	fputs(r->after, out);
	fclose(out);
	add_document(s, text, len);
	free(text);
}

void
seeds_add_json_scan(struct seeds *s)
{
	static const struct repetition repetitions[] = {
		{ "", "[", JSON_DEPTH_MAX, "1", "]", "" },
		{ "", "[", JSON_DEPTH_MAX + 1, "1", "]", "" },
		{ "", "{\"a\":", JSON_DEPTH_MAX, "null", "}", "" },
		{ "", "{\"a\":", JSON_DEPTH_MAX + 1, "null", "}", "" },
		{ "{\"data\":", "[", TENSOR_RANK_MAX, "1,2", "]", "}" },
		{ "{\"data\":", "[", TENSOR_RANK_MAX + 1, "1", "]", "}" },
		{ "{\"data\":[", "1.5,", 300, "-0", "", "]}" },
		{ "{\"data\":[", "0.333251953125 , ", 40, "1e-3", "", "]}" },
		{ "{\"data\":[", "-1.2345679e-21,", 70, "-9.87654321e-22", "", "]}" },
		{ "{\"data\":[", "[1,2],\n", 40, "[3,4]", "", "]}" },
		{ "{\"data\":[", "3", 800, "", "", "]}" },
		{ "{\"data\":[1.", "0", 800, "1e7", "", "]}" },
		{ "{\"shape\":[", "1,", TENSOR_RANK_MAX - 1, "1", "", "],\"data\":[7]}" },
		{ "{\"epsilon\":1", "0", 200, "e-200", "", "}" },
		{ "\"", "\\ud834\\udd1e\xf0\x9d\x84\x9e", 60, "", "", "\"" },
		{ "[", "{\"a\":1,\"b\":2},", 60, "{}", "", "]" },
	};

	for (size_t i = 0; i < COUNT(json_valid); i++)
		add_document(s, json_valid[i].text, strlen(json_valid[i].text));
	for (size_t i = 0; i < COUNT(json_invalid); i++)
		add_refused(s, json_invalid[i].text);
	for (size_t i = 0; i < COUNT(repetitions); i++)
		add_repetition(s, &repetitions[i]);
}
