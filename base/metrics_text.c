/* SPDX-License-Identifier: MIT */
#include "base/metrics_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A help text escapes backslashes and line feeds, a label's value quotes too. */
static void
add_escaped(struct buf *b, const char *text, bool quotes)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			buf_text(b, "\\n");
			continue;
		}
		if (*text == '\\' || (quotes && *text == '"'))
			buf_byte(b, '\\');
		buf_byte(b, *text);
	}
}

void
metrics_text_family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP %s ", name);
	add_escaped(b, help, false);
	buf_printf(b, "\n# TYPE %s %s\n", name, type);
}

void
metrics_text_label(struct buf *labels, const char *name, const char *value)
{
	buf_printf(labels, "%s%s=\"", labels->len == 0 ? "" : ",", name);
	add_escaped(labels, value, true);
	buf_byte(labels, '"');
}

static void
begin(struct buf *b, const struct metrics_text_sample *s)
{
	buf_text(b, s->name);
	buf_text(b, s->suffix);
	if (s->labels->len > 0) {
		buf_byte(b, '{');
		buf_add(b, s->labels->bytes, s->labels->len);
		buf_byte(b, '}');
	}
	buf_byte(b, ' ');
}

void
metrics_text_uint(struct buf *b, const struct metrics_text_sample *s, uint64_t value)
{
	begin(b, s);
	buf_uint(b, value);
	buf_byte(b, '\n');
}

void
metrics_text_us(struct buf *b, const struct metrics_text_sample *s, uint64_t us)
{
	begin(b, s);
	buf_printf(b, "%" PRIu64 ".%06" PRIu64 "\n", us / 1000000, us % 1000000);
}

void
metrics_text_double(struct buf *b, const struct metrics_text_sample *s, double value)
{
	char text[32];

	begin(b, s);
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	if (isnan(value))
		buf_text(b, "NaN\n");
	else if (isinf(value))
		buf_text(b, value > 0 ? "+Inf\n" : "-Inf\n");
	else
		buf_printf(b, "%s\n", text);
}
