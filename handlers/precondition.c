/* SPDX-License-Identifier: MIT */
/*
 * If-Match: a change is made only to the revision that the client has seen. Normd-Min-Revision: a state is used only if
 * it is not older than one that the client has seen.
 */
#include <stdlib.h>
#include <string.h>

#include "handlers/input.h"

const struct input revision_shown_input = { "revision", INPUT_TEXT, .places = INPUT_BODY };

#define REVISIONS_MAX (sizeof(((struct store_precondition *)NULL)->revisions) / sizeof(uint64_t))

/* Reads an entity tag, such as "12", and returns the text after it, or NULL. A weak tag, W/"12", never matches. */
static const char *
parse_tag(const char *p, struct store_precondition *out)
{
	bool weak = strncmp(p, "W/", 2) == 0, digits = true;
	const char *open = p + (weak ? 2 : 0), *close;

	if (*open != '"' || (close = strchr(open + 1, '"')) == NULL)
		return NULL;
	for (const char *c = open + 1; c < close; c++)
		digits = digits && *c >= '0' && *c <= '9';
	if (!weak && digits && close - open > 1 && close - open <= 20) {
		if (out->count == REVISIONS_MAX)
			return NULL;
		out->revisions[out->count++] = strtoull(open + 1, NULL, 10);
	}
	return close + 1;
}

static int
refuse(struct err *e)
{
	return err_fail(e, ERR_BAD_PARAMETER,
	    "If-Match must be *, or a revision in quotes such as \"3\", or a list of up to %zu of them", REVISIONS_MAX);
}

int
precondition_get(struct request *rq, struct err *e)
{
	struct store_precondition *out = &rq->write.precondition;
	const char *p = rq->if_match;

	if (p == NULL)
		return 0;
	out->present = true;
	if (strcmp(p, "*") == 0) {
		out->any = true;
		return 0;
	}
	for (;;) {
		p = parse_tag(p + strspn(p, " \t"), out);
		if (p == NULL)
			return refuse(e);
		p += strspn(p, " \t");
		if (*p == '\0')
			return 0;
		if (*p++ != ',')
			return refuse(e);
	}
}

int
precondition_least(struct request *rq, const char *text, struct err *e)
{
	const size_t digits = text != NULL ? strspn(text, "0123456789") : 0;

	if (text == NULL)
		return 0;
	if (digits == 0 || digits > 19 || text[digits] != '\0')
		return err_fail(e, ERR_BAD_PARAMETER,
		    "Normd-Min-Revision must be a revision as the header Normd-Revision has it, such as 3");
	rq->min_revision = strtoull(text, NULL, 10);
	return 0;
}
