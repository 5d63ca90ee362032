/* SPDX-License-Identifier: MIT */
#include "handlers/version_members.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "handlers/placeholders.h"

const struct input note_input = { "note", INPUT_TEXT, .places = INPUT_BODY };
const struct input version_member_input = { "version", INPUT_TEXT, .places = INPUT_BODY, .needed = true };
const struct input time_shown_input = { "time", INPUT_TEXT, .places = INPUT_BODY };

int
note_get(const struct request *rq, const char **note, struct err *e)
{
	struct option o;

	*note = "";
	if (option_find(rq, &note_input, &o, e) < 0)
		return -1;
	if (!option_given(&o))
		return 0;
	if (envelope_type(o.member) != ENVELOPE_STRING)
		return option_refuse(&note_input, &o, "a text", e);
	*note = envelope_text(o.member);
	if (strlen(*note) <= STORE_NOTE_MAX)
		return 0;
	return err_fail(e, ERR_BAD_PARAMETER, "\"note\" has %zu bytes in UTF-8; at most %zu are allowed", strlen(*note),
	    STORE_NOTE_MAX);
}

/* Whether the text can name a version here. */
static bool
is_name(const char *text, bool serves)
{
	struct err why;

	if (placeholders_check_name("version", text, &why) < 0)
		return false;
	return serves || (strcmp(text, "live") != 0 && strcmp(text, "previous") != 0);
}

int
version_member_get(struct request *rq, bool serves, const char **name, struct err *e)
{
	char digits[24];
	struct option o;
	uint64_t number;

	if (option_find(rq, &version_member_input, &o, e) < 0)
		return -1;
	*name = envelope_type(o.member) == ENVELOPE_STRING ? envelope_text(o.member) : "";
	if (envelope_uint64(o.member, &number) == 0) {
		snprintf(digits, sizeof(digits), "%" PRIu64, number);
		*name = workspace_text(&rq->workspace, digits, strlen(digits), e);
		return *name == NULL ? -1 : 0;
	}
	if (is_name(*name, serves))
		return 0;
	return option_refuse(&version_member_input, &o,
	    serves ? "a version's number, an alias, \"live\" or \"previous\"" : "a version's number or an alias", e);
}

void
version_format_number(struct buf *b, uint64_t number)
{
	if (number == 0)
		buf_text(b, "\"live\"");
	else
		buf_uint(b, number);
}
