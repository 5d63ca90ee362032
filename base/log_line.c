/* SPDX-License-Identifier: MIT */
#include "base/log_line.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/quote.h"

/* Numbers below this are formatted by integer arithmetic, with up to three decimals. */
#define SIMPLE_NUMBER_MAX 1e15

#define TOKEN_BEGIN "normd_"
#define TOKEN_BEGIN_LEN (sizeof(TOKEN_BEGIN) - 1)
#define TOKEN_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#define TOKEN_LETTERS_MIN ((size_t)24)

const char *const log_level_names[] = { "debug", "info", "warn", "error", NULL };

static void
put(struct log_line *line, const char *bytes, size_t len)
{
	memcpy(line->bytes + line->len, bytes, len);
	line->len += len;
}

static void
put_text(struct log_line *line, const char *text)
{
	put(line, text, strlen(text));
}

static void
put_uint(struct log_line *line, uint64_t number)
{
	line->len += buf_format_uint(line->bytes + line->len, number);
}

/* Up to three decimals, without zeros at the end. */
static void
put_number(struct log_line *line, double number)
{
	uint64_t thousandths;
	char decimals[4];
	size_t len = 3;

	if (!(number >= 0 && number < SIMPLE_NUMBER_MAX)) {
		line->len += (size_t)snprintf(line->bytes + line->len, 32, "%.15g", number);
		return;
	}
	thousandths = (uint64_t)(number * 1000 + 0.5);
	put_uint(line, thousandths / 1000);
	if (thousandths % 1000 == 0)
		return;
	decimals[0] = '.';
	for (uint64_t rest = thousandths % 1000; len > 0; rest /= 10)
		decimals[len--] = (char)('0' + rest % 10);
	for (len = sizeof(decimals); decimals[len - 1] == '0';)
		len--;
	put(line, decimals, len);
}

/* A text in quotes; of a long one the beginning and its length. */
static void
put_quoted(struct log_line *line, const char *text)
{
	size_t taken;

	put(line, "\"", 1);
	line->len += quote_ascii(line->bytes + line->len, LOG_TEXT_MAX, text, &taken);
	if (text[taken] != '\0')
		line->len += (size_t)snprintf(line->bytes + line->len, 48, "... (%zu bytes)", strlen(text));
	put(line, "\"", 1);
}

/* Whether a value is unambiguous without quotes. */
static bool
is_bare(const char *text, bool may_have_spaces)
{
	const char *p = text;

	while ((*p > ' ' && *p < 0x7f && *p != '"' && *p != '\\' && *p != '=') || (*p == ' ' && may_have_spaces))
		p++;
	return p > text && *p == '\0' && (size_t)(p - text) <= LOG_TEXT_MAX;
}

static void
put_bare(struct log_line *line, const char *text, bool may_have_spaces)
{
	if (is_bare(text, may_have_spaces))
		put_text(line, text);
	else
		put_quoted(line, text);
}

static void
put_json_field(struct log_line *line, const struct log_field *field)
{
	put(line, ",\"", 2);
	put_text(line, field->name);
	put(line, "\":", 2);
	if (field->text != NULL)
		put_quoted(line, field->text);
	else if (isfinite(field->number))
		put_number(line, field->number);
	else
		put_text(line, "null");
}

static void
put_text_field(struct log_line *line, const struct log_field *field)
{
	put(line, " ", 1);
	put_text(line, field->name);
	put(line, "=", 1);
	if (field->text != NULL)
		put_bare(line, field->text, false);
	else
		put_number(line, field->number);
}

static void
begin_json(struct log_line *line, const char *stamp, enum log_level level, const char *message)
{
	put_text(line, "{\"time\":\"");
	put_text(line, stamp);
	put_text(line, "\",\"level\":\"");
	put_text(line, log_level_names[level]);
	put_text(line, "\",\"message\":");
	put_quoted(line, message);
}

static void
begin_text(struct log_line *line, const char *stamp, enum log_level level, const char *message)
{
	put_text(line, stamp);
	put(line, " ", 1);
	put_text(line, log_level_names[level]);
	put(line, "  ", strlen(log_level_names[level]) < 5 ? 2 : 1);
	put_bare(line, message, true);
}

/*
 * Masks "normd_" with many letters of base64url's alphabet behind it. Fewer than TOKEN_LETTERS_MIN are a name, or so
 * little of a token that was cut that nobody can guess the rest. Looking for the '_' alone takes a third of the time.
 */
static void
mask_tokens(struct log_line *line)
{
	char *const end = line->bytes + line->len;

	for (char *p = line->bytes; (p = memchr(p, TOKEN_BEGIN[TOKEN_BEGIN_LEN - 1], (size_t)(end - p))) != NULL;) {
		size_t letters = 0;

		p++;
		if ((size_t)(p - line->bytes) < TOKEN_BEGIN_LEN ||
		    memcmp(p - TOKEN_BEGIN_LEN, TOKEN_BEGIN, TOKEN_BEGIN_LEN) != 0)
			continue;
		while (p + letters < end && strchr(TOKEN_LETTERS, p[letters]) != NULL)
			letters++;
		if (letters >= TOKEN_LETTERS_MIN)
			memset(p, '*', letters);
	}
}

void
log_line_make(struct log_line *line, enum log_format format, enum log_level level, const char *message,
    const struct log_field *fields, size_t count)
{
	char stamp[CLOCK_STAMP_BYTES];

	assert(count <= LOG_FIELDS_MAX);
	clock_stamp(stamp);
	line->len = 0;
	(format == LOG_JSON ? begin_json : begin_text)(line, stamp, level, message);
	for (size_t i = 0; i < count; i++) {
		assert(strlen(fields[i].name) <= LOG_NAME_MAX);
		(format == LOG_JSON ? put_json_field : put_text_field)(line, &fields[i]);
	}
	put_text(line, format == LOG_JSON ? "}\n" : "\n");
	mask_tokens(line);
}
