/* SPDX-License-Identifier: MIT */
#include "handlers/page.h"

#include "base/quote.h"
#include "handlers/option.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000

static const struct input limit_input = { "limit", INPUT_UINT, INPUT_QUERY, .min = 1, .max = LIMIT_MAX };
static const struct input after_input = { "after", INPUT_TEXT, .places = INPUT_QUERY };

static const struct input after_number_input = { "after", INPUT_UINT, INPUT_QUERY, .min = 1, .max = INT64_MAX };

const struct input *const page_inputs[] = { &limit_input, &after_input, NULL };
const struct input *const page_numbered_inputs[] = { &limit_input, &after_number_input, NULL };

int
page_get(const struct request *rq, struct page *out, struct err *e)
{
	uint64_t limit = LIMIT_DEFAULT;

	if (option_get(rq, &limit_input, &limit, e) < 0)
		return -1;
	*out = (struct page){ .after = input_query(rq, &after_input), .limit = limit };
	return 0;
}

int
page_get_numbered(const struct request *rq, struct page *out, struct err *e)
{
	uint64_t limit = LIMIT_DEFAULT, after = 0;

	if (option_get(rq, &limit_input, &limit, e) < 0 || option_get(rq, &after_number_input, &after, e) < 0)
		return -1;
	*out = (struct page){ .after_number = after, .limit = limit };
	return 0;
}

void
page_end(struct buf *b, const char *next)
{
	buf_text(b, "],\"next\":");
	if (next != NULL)
		quote_json(b, next);
	else
		buf_text(b, "null");
	buf_byte(b, '}');
}

void
page_end_numbered(struct buf *b, uint64_t next)
{
	char text[BUF_UINT_BYTES + 1];

	text[buf_format_uint(text, next)] = '\0';
	page_end(b, next != 0 ? text : NULL);
}
