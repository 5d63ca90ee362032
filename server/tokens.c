/* SPDX-License-Identifier: MIT */
#include "server/tokens.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/quote.h"
#include "base/secret.h"
#include "base/suggest.h"
#include "storage/store.h"

#define HASH_DIGITS ((size_t)2 * SHA256_BYTES)

/* A part of a line. */
struct word {
	const char *text;
	size_t len;
};

static bool
word_is(const struct word *w, const char *text)
{
	return w->len == strlen(text) && memcmp(w->text, text, w->len) == 0;
}

/* Cuts the first word up to one of `ends` off the rest of a line. */
static struct word
cut_word(struct word *rest, const char *ends)
{
	struct word w = { rest->text, 0 };

	while (w.len < rest->len && strchr(ends, w.text[w.len]) == NULL)
		w.len++;
	rest->text += w.len;
	rest->len -= w.len;
	return w;
}

static void
skip_blanks(struct word *rest)
{
	while (rest->len > 0 && (*rest->text == ' ' || *rest->text == '\t')) {
		rest->text++;
		rest->len--;
	}
}

/* ---- the fields of a line */

static int
parse_hash(const struct word *w, unsigned char out[SHA256_BYTES], struct err *e)
{
	char text[SHA256_TEXT_BYTES] = "sha256:";
	char *p = text + strlen(text);

	if (w->len > 6 && memcmp(w->text, "normd_", 6) == 0)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "this is a token; the file must have the token's hash instead, as normd token writes it");
	if (w->len != HASH_DIGITS)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "the hash has %zu characters; it must be the SHA-256 of a token, which has %zu hexadecimal digits",
		    w->len, HASH_DIGITS);
	for (size_t i = 0; i < HASH_DIGITS; i++)
		p[i] = (char)(w->text[i] >= 'A' && w->text[i] <= 'F' ? w->text[i] | 0x20 : w->text[i]);
	p[HASH_DIGITS] = '\0';
	if (!sha256_parse(text, out))
		return err_fail(
		    e, ERR_BAD_PARAMETER, "the hash has a character that is not a hexadecimal digit (0-9, a-f)");
	return 0;
}

int
token_parse_role(const char *text, size_t len, enum access *out, struct err *e)
{
	static const enum access roles[] = { ACCESS_INFER, ACCESS_TRAIN, ACCESS_ADMIN };
	char word[17], near[SUGGEST_BYTES];
	struct suggest s;

	if (len >= sizeof(word)) /* it may be a token */
		return err_fail(
		    e, ERR_BAD_PARAMETER, "the role has %zu characters; the roles are infer, train and admin", len);
	snprintf(word, sizeof(word), "%.*s", (int)len, text);
	suggest_begin(&s, word);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		*out = roles[i];
		if (strcmp(word, caller_role_name(roles[i])) == 0)
			return 0;
		suggest_try(&s, caller_role_name(roles[i]));
	}
	return err_fail(e, ERR_BAD_PARAMETER, "\"%s\" is not a role; the roles are infer, train and admin%s", word,
	    suggest_text(&s, near));
}

static bool
is_name_character(char c, bool first)
{
	const char lower = (char)(c | 0x20);

	return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') ||
	    (!first && (c == '.' || c == '_' || c == '-'));
}

static int
check_prefix(const struct word *w, struct err *e)
{
	if (w->len == 0)
		return err_fail(e, ERR_BAD_PARAMETER, "a prefix of models' names is empty; * alone means all models");
	if (w->len > STORE_NAME_MAX)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "a prefix of models' names has %zu characters; names have at most %d", w->len, STORE_NAME_MAX);
	if (memchr(w->text, '*', w->len) != NULL)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "a prefix of models' names is written without *, which stands alone and means all models");
	for (size_t i = 0; i < w->len; i++)
		if (!is_name_character(w->text[i], i == 0))
			return err_fail(e, ERR_BAD_PARAMETER,
			    "no model's name can begin with the prefix \"%.*s\": names have A-Z a-z 0-9 . _ - and "
			    "begin "
			    "with a letter or a digit",
			    (int)(w->len < 64 ? w->len : 64), w->text);
	return 0;
}

/* Takes the next prefix off a list. False: there is none. */
static bool
next_prefix(struct word *rest, bool *first, struct word *out)
{
	if (!*first && rest->len == 0)
		return false;
	if (!*first) {
		rest->text++; /* the comma */
		rest->len--;
	}
	*first = false;
	*out = cut_word(rest, ",");
	return true;
}

int
token_check_models(const char *text, size_t len, struct err *e)
{
	struct word rest = { text, len }, w;
	bool first = true;

	if (word_is(&rest, "*"))
		return 0;
	while (next_prefix(&rest, &first, &w))
		if (check_prefix(&w, e) < 0)
			return -1;
	return 0;
}

/* ---- tokens */

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Leaves out prefixes that begin with another. `list` is sorted. Returns how many are left. */
static size_t
drop_covered(const char **list, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (n == 0 || strncmp(list[n - 1], list[i], strlen(list[n - 1])) != 0)
			list[n++] = list[i];
	return n;
}

/* Makes a token. The memory holds the pointers to the prefixes, then their texts. NULL: no memory. */
static struct token *
make_token(enum access role, const struct word *models)
{
	size_t count = 0, places = word_is(models, "*") ? 0 : 1;
	struct word rest = *models, w;
	struct token *t;
	const char **list;
	char *texts;
	bool first = true;

	for (size_t i = 0; places > 0 && i < models->len; i++)
		places += models->text[i] == ',';
	t = calloc(1, sizeof(*t) + places * sizeof(*list) + (places > 0 ? models->len + 1 : 0));
	if (t == NULL)
		return NULL;
	list = (const char **)(void *)t->memory;
	texts = t->memory + places * sizeof(*list);
	while (count < places && next_prefix(&rest, &first, &w)) {
		list[count++] = texts;
		memcpy(texts, w.text, w.len);
		texts += w.len + 1;
	}
	qsort(list, count, sizeof(*list), compare_texts);
	t->caller = (struct caller){ .role = role, .prefixes = list, .prefix_count = drop_covered(list, count) };
	t->references = 1;
	return t;
}

_Static_assert(offsetof(struct token, memory) % sizeof(char *) == 0, "pointers begin the memory");

struct token *
token_ref(struct token *t)
{
	atomic_fetch_add_explicit(&t->references, 1, memory_order_relaxed);
	return t;
}

void
token_unref(struct token *t)
{
	if (t != NULL && atomic_fetch_sub_explicit(&t->references, 1, memory_order_acq_rel) == 1)
		free(t);
}

void
token_digest(const char *text, size_t len, unsigned char out[SHA256_BYTES])
{
	struct sha256 s;

	sha256_begin(&s);
	sha256_add(&s, text, len);
	sha256_end(&s, out);
}

/* ---- the file */

/* Reads a line's fields; *out is NULL where it has none. */
static int
parse_line(struct word line, struct token **out, struct err *e)
{
	unsigned char digest[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];
	enum access role = ACCESS_UNSAID;
	struct word hash, role_name, models;

	*out = NULL;
	line = cut_word(&line, "#");
	skip_blanks(&line);
	if (line.len == 0)
		return 0;
	hash = cut_word(&line, " \t");
	skip_blanks(&line);
	role_name = cut_word(&line, " \t");
	skip_blanks(&line);
	models = cut_word(&line, " \t");
	skip_blanks(&line);
	if (parse_hash(&hash, digest, e) < 0)
		return -1;
	if (models.len == 0 || line.len > 0)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "the line must have three fields: SHA256 ROLE MODELS, where MODELS is * for all models, or "
		    "prefixes of their names with commas between them; a note may follow behind #");
	if (token_parse_role(role_name.text, role_name.len, &role, e) < 0 ||
	    token_check_models(models.text, models.len, e) < 0)
		return -1;
	*out = make_token(role, &models);
	if (*out == NULL)
		return err_fail_memory(e);
	memcpy((*out)->digest, digest, sizeof(digest));
	sha256_format(digest, text);
	snprintf((*out)->caller.name, CALLER_NAME_BYTES, "%s", strchr(text, ':') + 1);
	return 0;
}

static int
add_token(struct tokens *t, struct token *token, struct err *e)
{
	/* Where the count is a power of two there is no more room. */
	if ((t->count & (t->count - 1)) == 0) {
		const size_t room = t->count == 0 ? 1 : 2 * t->count;
		struct token **list = realloc(t->list, room * sizeof(struct token *));

		if (list == NULL) {
			token_unref(token);
			return err_fail_memory(e);
		}
		t->list = list;
	}
	t->list[t->count++] = token;
	return 0;
}

static int
compare_tokens(const void *a, const void *b)
{
	const struct token *x = *(struct token *const *)a, *y = *(struct token *const *)b;
	const int order = memcmp(x->digest, y->digest, SHA256_BYTES);

	return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static int
check_duplicates(const struct tokens *t, const char *name, struct err *e)
{
	for (size_t i = 1; i < t->count; i++)
		if (memcmp(t->list[i - 1]->digest, t->list[i]->digest, SHA256_BYTES) == 0)
			return err_fail(e, ERR_BAD_PARAMETER,
			    "%.200s:%u: this token is in line %u already; one token has one role", name,
			    t->list[i]->line, t->list[i - 1]->line);
	return 0;
}

/* The next line without its end. */
static struct word
next_line(const char **text, const char *end)
{
	const char *newline = memchr(*text, '\n', (size_t)(end - *text));
	struct word line = { *text, (size_t)((newline != NULL ? newline : end) - *text) };

	*text = newline != NULL ? newline + 1 : end;
	if (line.len > 0 && line.text[line.len - 1] == '\r')
		line.len--;
	return line;
}

static int
parse_lines(struct tokens *t, const char *text, size_t len, const char *name, struct err *e)
{
	const char *end = text + len;
	struct token *token;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3; /* a byte order mark, as some editors write it */
	for (unsigned n = 1; text < end; n++) {
		const struct word line = next_line(&text, end);
		int result = 0;

		if (line.len > TOKENS_LINE_MAX)
			result =
			    err_fail(e, ERR_BAD_PARAMETER, "the line is longer than %zu characters", TOKENS_LINE_MAX);
		else if (memchr(line.text, '\0', line.len) != NULL)
			result = err_fail(e, ERR_BAD_PARAMETER, "the line has a NUL: this is not a text file");
		else if (memchr(line.text, '\r', line.len) != NULL)
			result = err_fail(e, ERR_BAD_PARAMETER,
			    "the line has a carriage return within; lines must end in LF or CR LF");
		if (result < 0 || parse_line(line, &token, e) < 0) {
			quote_mask(e->detail); /* a terminal may be shown it */
			err_prepend(e, "%.200s:%u: ", name, n);
			return -1;
		}
		if (token == NULL)
			continue;
		token->line = n;
		if (add_token(t, token, e) < 0)
			return -1;
	}
	return 0;
}

struct tokens *
tokens_parse(const char *text, size_t len, const char *name, bool may_be_empty, struct err *e)
{
	struct tokens *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		err_set_memory(e);
		return NULL;
	}
	if (parse_lines(t, text, len, name, e) < 0)
		goto fail;
	if (t->count > 0)
		qsort(t->list, t->count, sizeof(struct token *), compare_tokens);
	if (check_duplicates(t, name, e) < 0)
		goto fail;
	if (t->count > 0 || may_be_empty)
		return t;
	err_set(e, ERR_BAD_PARAMETER, "%.200s has no token: make one with normd token --role ROLE --tokens FILE", name);
fail:
	tokens_free(t);
	return NULL;
}

void
tokens_free(struct tokens *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->count; i++)
		token_unref(t->list[i]);
	free(t->list);
	free(t);
}

/* The first bytes of a digest. The search may depend on them: to choose a digest is to know a token. */
static uint64_t
digest_head(const unsigned char digest[SHA256_BYTES])
{
	uint64_t head = 0;

	for (size_t i = 0; i < sizeof(head); i++)
		head = head << 8 | digest[i];
	return head;
}

struct token *
tokens_find(const struct tokens *t, const unsigned char digest[SHA256_BYTES])
{
	const uint64_t head = digest_head(digest);
	size_t low = 0, high = t->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (digest_head(t->list[middle]->digest) < head)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < t->count && digest_head(t->list[low]->digest) == head; low++)
		if (secret_equal(t->list[low]->digest, digest, SHA256_BYTES))
			return t->list[low];
	return NULL;
}

static bool
same_rights(const struct caller *a, const struct caller *b)
{
	if (a->role != b->role || a->prefix_count != b->prefix_count)
		return false;
	for (size_t i = 0; i < a->prefix_count; i++)
		if (strcmp(a->prefixes[i], b->prefixes[i]) != 0)
			return false;
	return true;
}

void
tokens_keep(struct tokens *t, const struct tokens *old)
{
	for (size_t i = 0; i < t->count; i++) {
		struct token *same = tokens_find(old, t->list[i]->digest);

		if (same == NULL || !same_rights(&same->caller, &t->list[i]->caller))
			continue;
		token_unref(t->list[i]);
		t->list[i] = token_ref(same);
	}
}
