/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/json_judge.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

struct key {
	const char *bytes;
	size_t len;
};

struct judge {
	const char *p;
	const char *end;
	char *decoded; /* where the next string's characters go: no string decodes to more bytes than it has */
	struct key *keys;
	size_t keys_count; /* those of the objects that are open */
	unsigned depth;
	struct json_judgement found;
};

static bool judge_value(struct judge *j);

static bool
judge_take(struct judge *j, char c)
{
	if (j->p == j->end || *j->p != c)
		return false;
	j->p++;
	return true;
}

static void
judge_space(struct judge *j)
{
	while (j->p < j->end && memchr(" \t\n\r", *j->p, 4) != NULL)
		j->p++;
}

static bool
judge_literal(struct judge *j, const char *literal)
{
	while (*literal != '\0')
		if (!judge_take(j, *literal++))
			return false;
	return true;
}

static bool
judge_digits(struct judge *j)
{
	const char *from = j->p;

	while (j->p < j->end && *j->p >= '0' && *j->p <= '9')
		j->p++;
	return j->p > from;
}

static bool
judge_number(struct judge *j)
{
	const char *from = j->p;

	judge_take(j, '-');
	if (!judge_take(j, '0') && !judge_digits(j))
		return false;
	if (judge_take(j, '.') && !judge_digits(j))
		return false;
	if (judge_take(j, 'e') || judge_take(j, 'E')) {
		if (!judge_take(j, '+'))
			judge_take(j, '-');
		if (!judge_digits(j))
			return false;
	}
	if ((size_t)(j->p - from) > j->found.longest)
		j->found.longest = (size_t)(j->p - from);
	return true;
}

static void
judge_emit(struct judge *j, unsigned long code)
{
	if (code < 0x80) {
		*j->decoded++ = (char)code;
		return;
	}
	if (code < 0x800)
		*j->decoded++ = (char)(0xc0 | code >> 6);
	else {
		if (code < 0x10000)
			*j->decoded++ = (char)(0xe0 | code >> 12);
		else {
			*j->decoded++ = (char)(0xf0 | code >> 18);
			*j->decoded++ = (char)(0x80 | (code >> 12 & 0x3f));
		}
		*j->decoded++ = (char)(0x80 | (code >> 6 & 0x3f));
	}
	*j->decoded++ = (char)(0x80 | (code & 0x3f));
}

/* XXXX */
static bool
judge_hex4(struct judge *j, unsigned long *code)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *digit;

	*code = 0;
	for (int i = 0; i < 4; i++) {
		if (j->p == j->end || *j->p == '\0' || (digit = strchr(digits, *j->p)) == NULL)
			return false;
		*code = *code * 16 + (unsigned long)(digit - digits) % 16;
		j->p++;
	}
	return true;
}

/* After the backslash. */
static bool
judge_escape(struct judge *j)
{
	static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	unsigned long code, low;
	const char *name;

	if (judge_take(j, 'u')) {
		if (!judge_hex4(j, &code) || (code >= 0xdc00 && code <= 0xdfff))
			return false;
		if (code >= 0xd800 && code <= 0xdbff) {
			if (!judge_literal(j, "\\u") || !judge_hex4(j, &low) || low < 0xdc00 || low > 0xdfff)
				return false;
			code = 0x10000 + (code - 0xd800) * 0x400 + (low - 0xdc00);
		}
		judge_emit(j, code);
		return true;
	}
	if (j->p == j->end || *j->p == '\0' || (name = strchr(names, *j->p)) == NULL)
		return false;
	j->p++;
	judge_emit(j, (unsigned long)meant[name - names]);
	return true;
}

/* A character of UTF-8, by its code point: what is encoded in more bytes than it needs, or is a surrogate, is none. */
static bool
judge_character(struct judge *j)
{
	static const unsigned long least[] = { 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)*j->p++;
	unsigned more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
	unsigned long code = more == 0 ? first : first & (0x3fu >> more);

	if (first < 0x20 || (first >= 0x80 && first < 0xc0) || first >= 0xf8)
		return false;
	for (unsigned i = 0; i < more; i++, j->p++) {
		if (j->p == j->end || ((unsigned char)*j->p & 0xc0) != 0x80)
			return false;
		code = code << 6 | ((unsigned char)*j->p & 0x3f);
	}
	if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return false;
	judge_emit(j, code);
	return true;
}

static bool
judge_string(struct judge *j, struct key *out)
{
	out->bytes = j->decoded;
	if (!judge_take(j, '"'))
		return false;
	while (j->p < j->end && *j->p != '"')
		if (judge_take(j, '\\') ? !judge_escape(j) : !judge_character(j))
			return false;
	out->len = (size_t)(j->decoded - out->bytes);
	return judge_take(j, '"');
}

/* "key": value, in an object whose keys begin at `from`. */
static bool
judge_member(struct judge *j, size_t from)
{
	struct key *key = &j->keys[j->keys_count];

	judge_space(j);
	if (!judge_string(j, key))
		return false;
	for (size_t i = from; i < j->keys_count; i++)
		if (j->keys[i].len == key->len && memcmp(j->keys[i].bytes, key->bytes, key->len) == 0)
			j->found.duplicate = true;
	j->keys_count++;
	judge_space(j);
	return judge_take(j, ':') && judge_value(j);
}

/* A list or an object, after its bracket. */
static bool
judge_members(struct judge *j, bool object)
{
	const char close = object ? '}' : ']';
	const size_t from = j->keys_count;
	bool valid = true;

	j->depth++;
	if (j->depth > j->found.depth)
		j->found.depth = j->depth;
	judge_space(j);
	if (!judge_take(j, close)) {
		do
			valid = object ? judge_member(j, from) : judge_value(j);
		while (valid && judge_take(j, ','));
		valid = valid && judge_take(j, close);
	}
	j->keys_count = from;
	j->depth--;
	return valid;
}

/* A value with the white space around it. */
static bool
judge_value(struct judge *j)
{
	struct key string;
	bool valid;

	judge_space(j);
	if (judge_take(j, '['))
		valid = judge_members(j, false);
	else if (judge_take(j, '{'))
		valid = judge_members(j, true);
	else if (j->p < j->end && *j->p == '"')
		valid = judge_string(j, &string);
	else if (j->p < j->end && *j->p >= 'a')
		valid = judge_literal(j, *j->p == 't' ? "true" : *j->p == 'f' ? "false" : "null");
	else
		valid = judge_number(j);
	judge_space(j);
	return valid;
}

struct json_judgement
json_judge(const char *text, size_t len)
{
	char *decoded = malloc(len + 1);
	struct key *keys = calloc(len + 1, sizeof(*keys));
	struct judge j = { .p = text, .end = text + len, .decoded = decoded, .keys = keys };

	fuzz_check(decoded != NULL && keys != NULL, "no memory");
	j.found.valid = judge_value(&j) && j.p == j.end;
	free(keys);
	free(decoded);
	return j.found;
}
