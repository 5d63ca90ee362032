/* SPDX-License-Identifier: MIT */
/* Seeds of the decoder of the Open Inference Protocol's bodies: those of the unit tests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds/seeds.h"
#include "tests/unit/oip_corpus.h"

/* Adds a body after its setup bytes (fuzz_oip.c): 4096 bytes, cut in a way of its own. A NUL ends the document. */
static void
add_body(struct seeds *s, const struct oip_body *body)
{
	const char setup[4] = { body->header ? 1 : 0, 1, (char)(s->count % 7), (char)(1 + s->count % 5) };
	char *bytes = NULL;
	size_t len;
	FILE *out = open_memstream(&bytes, &len);

	fuzz_check(out != NULL, "no memory");
	fwrite(setup, 1, sizeof(setup), out);
	for (const char *p = body->document; *p != '\0'; p++)
		if (*p != '@')
			fputc(*p, out);
	if (body->header)
		fputc('\0', out);
	fwrite(body->bytes, 1, body->len, out);
	fclose(out);
	seeds_add(s, bytes, len);
	free(bytes);
}

void
seeds_add_oip(struct seeds *s)
{
	for (size_t i = 0; i < COUNT(oip_valid); i++)
		add_body(s, &oip_valid[i].body);
	for (size_t i = 0; i < COUNT(oip_invalid); i++)
		add_body(s, &oip_invalid[i].body);
}
