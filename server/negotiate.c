/* SPDX-License-Identifier: MIT */
#include "server/negotiate.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "server/octets.h"

/* The value of a q parameter: thousandths. */
#define Q_ONE 1000

/* An element of a header's list: "application/json;q=0.5", of which `name` is the part before the parameters. */
struct element {
	const char *name;
	size_t len;
	int q; /* 0..Q_ONE */
};

static bool
equals(const struct element *el, const char *wanted)
{
	return strlen(wanted) == el->len && strncasecmp(el->name, wanted, el->len) == 0;
}

/* "0.25" as 250; what is not a qvalue counts as 1, as if it were absent. */
static int
parse_q(const char *p, const char *end)
{
	int q = 0, place = Q_ONE;

	if (p == end || (*p != '0' && *p != '1'))
		return Q_ONE;
	q = (*p++ - '0') * Q_ONE;
	if (p < end && *p == '.')
		for (p++; p < end && *p >= '0' && *p <= '9' && place > 1; p++)
			q += (*p - '0') * (place /= 10);
	return q < Q_ONE ? q : Q_ONE;
}

/* The value of the parameter `name` among those in [p, end), which is empty or begins with ';'; NULL: it is absent. */
static const char *
find_parameter(const char *p, const char *end, const char *name)
{
	const size_t len = strlen(name);

	while (p < end) {
		p++;
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
		if ((size_t)(end - p) > len && strncasecmp(p, name, len) == 0 && p[len] == '=')
			return p + len + 1;
		while (p < end && *p != ';')
			p++;
	}
	return NULL;
}

static int
find_q(const char *p, const char *end)
{
	const char *q = find_parameter(p, end, "q");

	return q == NULL ? Q_ONE : parse_q(q, end);
}

/* The next element at *p; moves *p behind it. Returns whether there was one. */
static bool
next_element(const char **p, struct element *el)
{
	const char *end;
	size_t len;

	*p += strspn(*p, " \t,");
	if (**p == '\0')
		return false;
	end = *p + strcspn(*p, ",");
	el->name = *p;
	len = strcspn(*p, ";,");
	el->len = octets_trim(*p, len);
	el->q = find_q(*p + len, end);
	*p = end;
	return true;
}

static bool
ends_in_json(const struct element *el)
{
	return el->len > 5 && strncasecmp(el->name + el->len - 5, "+json", 5) == 0;
}

/* text/plain with a charset that JSON may have: what fetch() sends when it is given a string. */
static bool
is_json_text(const struct element *el)
{
	static const char *const good[] = { "utf-8", "utf8", "us-ascii" };
	const char *p = el->name + el->len, *end = p + strcspn(p, ","),
		   *charset = find_parameter(p + strspn(p, " \t"), end, "charset");
	size_t len;

	if (!equals(el, "text/plain"))
		return false;
	if (charset == NULL)
		return true;
	charset += *charset == '"';
	len = strcspn(charset, "\"; \t,");
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (strlen(good[i]) == len && strncasecmp(charset, good[i], len) == 0)
			return true;
	return false;
}

int
negotiate_form(const char *content_type, enum form *out)
{
	struct element el;

	*out = FORM_JSON;
	if (content_type == NULL || !next_element(&content_type, &el))
		return 0;
	for (int form = 0; form < FORM_COUNT; form++)
		if (!form_ops((enum form)form)->by_route && equals(&el, form_ops((enum form)form)->media_type)) {
			*out = (enum form)form;
			return 0;
		}
	return el.len == 0 || equals(&el, "application/x-www-form-urlencoded") || ends_in_json(&el) ||
		is_json_text(&el) ?
	    0 :
	    -1;
}

int
negotiate_file(const char *content_type)
{
	static const char *const types[] = { MEDIA_TYPE_BYTES, "application/vnd.safetensors",
		"application/x-www-form-urlencoded" };
	struct element el;

	if (content_type == NULL || !next_element(&content_type, &el) || el.len == 0)
		return 0;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (equals(&el, types[i]))
			return 0;
	return -1;
}

int
negotiate_oip(const char *content_type)
{
	enum form form;
	struct element el;

	if (negotiate_form(content_type, &form) == 0 && form == FORM_JSON)
		return 0;
	return next_element(&content_type, &el) && equals(&el, MEDIA_TYPE_BYTES) ? 0 : -1;
}

int
negotiate_coding(const char *content_encoding, enum coding *out)
{
	struct element el;

	*out = CODING_IDENTITY;
	if (content_encoding == NULL || !next_element(&content_encoding, &el))
		return 0;
	if (coding_parse(el.name, el.len, out) < 0)
		return -1;
	return next_element(&content_encoding, &el) ? -1 : 0;
}

/* The q of a media type, which is text/... or application/...: that of the most specific range that matches, or 0. */
static int
type_q(const char *accept, const char *media_type, bool is_json)
{
	const bool is_text = strncmp(media_type, "text/", 5) == 0;
	const char *const ranges[] = { "*/*", is_text ? "text/*" : "application/*", media_type };
	struct element el;
	int best = -1, q = 0;

	while (next_element(&accept, &el)) {
		/* A client that accepts problem+json, or another +json, accepts JSON. */
		if (is_json && best < 0 && ends_in_json(&el))
			q = el.q;
		for (int i = 0; i < 3; i++)
			if (i >= best && equals(&el, ranges[i])) {
				best = i;
				q = el.q;
			}
	}
	return q;
}

static int
form_q(const char *accept, enum form form)
{
	return type_q(accept, form_ops(form)->media_type, form == FORM_JSON);
}

/* A missing or empty header accepts anything. */
static bool
says_nothing(const char *accept)
{
	return accept == NULL || accept[strspn(accept, " \t,")] == '\0';
}

int
negotiate_answer_type(const char *accept, const char *media_type)
{
	return says_nothing(accept) || type_q(accept, media_type, false) > 0 ? 0 : -1;
}

bool
negotiate_prefers_page(const char *accept)
{
	const int q = says_nothing(accept) ? Q_ONE : type_q(accept, "text/html", false);

	return q == Q_ONE || (q > 0 && q >= form_q(accept, FORM_JSON));
}

int
negotiate_answer_form(const char *accept, unsigned set, enum form preferred, enum form *out)
{
	int q, best;

	*out = form_in(set, preferred) ? preferred : FORM_JSON;
	if (says_nothing(accept))
		return 0;
	best = form_q(accept, *out);
	for (unsigned form = 0; form < FORM_COUNT; form++)
		if (form_in(set, form) && (q = form_q(accept, form)) > best) {
			best = q;
			*out = form;
		}
	return best > 0 ? 0 : -1;
}

int
negotiate_answer_coding(const char *accept_encoding, enum coding *out, bool *must)
{
	int q[CODING_COUNT] = { -1, -1, -1 }, rest = -1;
	enum coding named;
	struct element el;

	*out = CODING_IDENTITY;
	*must = false;
	if (accept_encoding == NULL)
		return 0;
	while (next_element(&accept_encoding, &el)) {
		if (equals(&el, "*"))
			rest = el.q;
		else if (coding_parse(el.name, el.len, &named) == 0)
			q[named] = el.q;
	}
	/* "*" stands for codings that are not listed. Without it, identity is acceptable and another coding is not. */
	for (int i = 0; i < CODING_COUNT; i++)
		if (q[i] < 0)
			q[i] = rest >= 0 ? rest : i == CODING_IDENTITY ? 1 : 0;
	*must = q[CODING_IDENTITY] == 0;
	*out = q[CODING_DEFLATE] > q[CODING_GZIP] ? CODING_DEFLATE : CODING_GZIP;
	if (q[*out] == 0 || q[*out] < q[CODING_IDENTITY])
		*out = CODING_IDENTITY;
	return *out == CODING_IDENTITY && *must ? -1 : 0;
}
