/* SPDX-License-Identifier: MIT */
#include "handlers/option_types.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int
bool_from_text(const struct input *in, const char *text, size_t len, uint64_t *out)
{
	static const char *const words[] = { "false", "true", "0", "1" };

	(void)in;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == len && strncasecmp(words[i], text, len) == 0) {
			*out = i % 2;
			return 0;
		}
	return -1;
}

static int
bool_from_member(const struct input *in, const struct cJSON *member, uint64_t *out)
{
	(void)in;
	if (envelope_type(member) != ENVELOPE_BOOL)
		return -1;
	*out = envelope_bool(member);
	return 0;
}

static void
describe_bool(const struct input *in, char out[OPTION_WANTED_BYTES])
{
	snprintf(out, OPTION_WANTED_BYTES, "true or false%s", in->type == INPUT_TENSOR ? ", or 1 or 0" : "");
}

static int
check_range(const struct input *in, uint64_t n)
{
	return n >= in->min && n <= in->max ? 0 : -1;
}

static int
uint_from_text(const struct input *in, const char *text, size_t len, uint64_t *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(text[i] - '0'), &n))
			return -1;
	*out = n;
	return len > 0 ? check_range(in, n) : -1;
}

static int
uint_from_member(const struct input *in, const struct cJSON *member, uint64_t *out)
{
	return envelope_type(member) == ENVELOPE_NUMBER && envelope_uint64(member, out) == 0 ? check_range(in, *out) :
											       -1;
}

static void
describe_uint(const struct input *in, char out[OPTION_WANTED_BYTES])
{
	if (in->max < INT64_MAX)
		snprintf(out, OPTION_WANTED_BYTES, "a whole number from %" PRIu64 " to %" PRIu64, in->min, in->max);
	else
		snprintf(out, OPTION_WANTED_BYTES, "a whole number from %" PRIu64 " to 2^%d - 1", in->min,
		    in->max == UINT64_MAX ? 64 : 63);
}

static int
choice_from_text(const struct input *in, const char *text, size_t len, uint64_t *out)
{
	for (*out = 0; in->choices[*out] != NULL; ++*out)
		if (strlen(in->choices[*out]) == len && memcmp(in->choices[*out], text, len) == 0)
			return 0;
	return -1;
}

static int
choice_from_member(const struct input *in, const struct cJSON *member, uint64_t *out)
{
	const char *text = envelope_type(member) == ENVELOPE_STRING ? envelope_string(member) : "";

	return choice_from_text(in, text, strlen(text), out);
}

static void
describe_choice(const struct input *in, char out[OPTION_WANTED_BYTES])
{
	size_t len = 0;

	for (size_t i = 0; in->choices[i] != NULL && len < OPTION_WANTED_BYTES; i++)
		len += (size_t)snprintf(
		    out + len, OPTION_WANTED_BYTES - len, "%s\"%s\"", i == 0 ? "" : " or ", in->choices[i]);
}

static const struct option_type read_bool = { bool_from_text, bool_from_member, describe_bool };
static const struct option_type read_uint = { uint_from_text, uint_from_member, describe_uint };
static const struct option_type read_choice = { choice_from_text, choice_from_member, describe_choice };

const struct option_type *const option_types[] = {
	[INPUT_BOOL] = &read_bool,
	[INPUT_UINT] = &read_uint,
	[INPUT_CHOICE] = &read_choice,
	[INPUT_UINTS] = &read_uint,
	[INPUT_TENSOR] = &read_bool,
};
