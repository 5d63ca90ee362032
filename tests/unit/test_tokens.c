/* SPDX-License-Identifier: MIT */
/* Tokens: which files of them are read and which are refused, how they are found, and what their callers may use. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/tokens.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "BBBBBBBBbbbbbbbbBBBBBBBBbbbbbbbbBBBBBBBBbbbbbbbbBBBBBBBBbbbbbbbb"
#define C "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct tokens *
parse(const char *text, struct err *e)
{
	*e = (struct err){ 0 };
	return tokens_parse(text, strlen(text), "F", false, e);
}

static struct tokens *
must_parse(const char *text)
{
	struct err e;
	struct tokens *t = parse(text, &e);

	ck_assert_msg(t != NULL, "%s: %s", text, e.detail);
	return t;
}

/* The token whose digest is this byte, as often as it has any. */
static const struct token *
find(const struct tokens *t, int byte)
{
	unsigned char digest[SHA256_BYTES];

	memset(digest, byte, sizeof(digest));
	return tokens_find(t, digest);
}

START_TEST(files_that_are_read)
{
	static const char *const texts[] = {
		A " infer *",
		A " infer *\n",
		A " infer *\r\n",
		A " infer *#",
		"\xef\xbb\xbf" A " infer * # of the site in Lyon, aaaa admin *\n",
		"# a note\n\n \t \r\n\t" A "\t infer\t*\t \n#",
		A " infer *\n" B " train a.,b\r\n\r\n" C " admin x",
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct tokens *t = must_parse(texts[i]);

		ck_assert_ptr_nonnull(find(t, 0xaa));
		ck_assert_int_eq(find(t, 0xaa)->caller.role, ACCESS_INFER);
		ck_assert_uint_eq(find(t, 0xaa)->caller.prefix_count, 0);
		ck_assert_str_eq(find(t, 0xaa)->caller.name, "aaaaaaaa");
		ck_assert_ptr_null(find(t, 0xab));
		tokens_free(t);
	}
}
END_TEST

START_TEST(files_that_are_refused)
{
	static const struct {
		const char *text, *detail; /* what the detail contains */
	} cases[] = {
		{ "", "F has no token" },
		{ "# nothing but a note\n\r\n", "F has no token" },
		{ "\n" A, "F:2: the line must have three fields" },
		{ A " infer", "F:1: the line must have three fields" },
		{ A " infer * *", "three fields" },
		{ A " infer a, b", "three fields" },
		{ A "a infer *", "the hash has 65 characters" },
		{ "a infer *", "the hash has 1 characters" },
		{ "sha256:" A " infer *", "the hash has 71 characters" },
		{ "g" B, "the hash has 65" },
		{ "gaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa infer *",
		    "not a hexadecimal digit" },
		{ "normd_NExta4jFmogsdV046-0yzxGzPMOKtWILwWdciSONd2c infer *", "F:1: this is a token" },
		{ A " Infer *", "\"Infer\" is not a role; the roles are infer, train and admin; did you mean" },
		{ A " trian *", "did you mean \"train\"?" },
		{ A " normd_NExta4jFmogsdV046-0yzxGzPMOKtWILwWdciSONd2c *", "the role has 49 characters" },
		{ A " infer ,", "prefix of models' names is empty" },
		{ A " infer a,,b", "prefix of models' names is empty" },
		{ A " infer a,", "prefix of models' names is empty" },
		{ A " infer a*", "without *" },
		{ A " infer *,a", "without *" },
		{ A " infer -a", "no model's name can begin with the prefix \"-a\"" },
		{ A " infer a/b", "no model's name can begin with" },
		{ A " infer * # a note\r" B " infer *\r", "F:1: the line has a carriage return within" },
		{ A " infer \x1b[2J\xc2\x9b", "begin with the prefix \"?[2J??\"" },
		{ A " \x1b[2J *", "\"?[2J\" is not a role" },
		{ A " infer *\n" B " infer *\n" A " admin *\n", "F:3: this token is in line 1 already" },
		{ B " infer *\nbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb infer *",
		    "F:2: this token" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e;

		ck_assert_msg(parse(cases[i].text, &e) == NULL, "%s", cases[i].text);
		ck_assert_int_eq(e.code, ERR_BAD_PARAMETER);
		ck_assert_msg(strstr(e.detail, cases[i].detail) != NULL, "%s: %s", cases[i].text, e.detail);
		ck_assert_msg(strstr(e.detail, "NExta4jFmogsdV046") == NULL, "%s", e.detail);
	}
}
END_TEST

START_TEST(long_lines_and_bytes_that_are_no_text)
{
	const size_t head = strlen(A " infer ");
	static char text[2 * TOKENS_LINE_MAX];
	struct tokens *t;
	struct err e = { 0 };

	memcpy(text, A " infer ", head);
	for (size_t i = head; i < sizeof(text); i++)
		text[i] = i % 100 == 0 ? ',' : 'a';
	text[TOKENS_LINE_MAX] = '\n';
	text[TOKENS_LINE_MAX + 1] = '#';
	t = tokens_parse(text, TOKENS_LINE_MAX + 1, "F", false, &e);
	ck_assert_msg(t != NULL, "%s", e.detail);
	tokens_free(t);
	text[TOKENS_LINE_MAX] = 'a';
	ck_assert_ptr_null(tokens_parse(text, TOKENS_LINE_MAX + 1, "F", false, &e));
	ck_assert_msg(strstr(e.detail, "F:1: the line is longer than 4096") != NULL, "%s", e.detail);
	ck_assert_ptr_null(tokens_parse(A " infer \0a", head + 2, "F", false, &e));
	ck_assert_msg(strstr(e.detail, "NUL") != NULL, "%s", e.detail);
	memset(text + head, 'a', 130);
	ck_assert_ptr_null(tokens_parse(text, head + 129, "F", false, &e));
	ck_assert_msg(strstr(e.detail, "names have at most 128") != NULL, "%s", e.detail);
	t = tokens_parse("", 0, "F", true, &e);
	ck_assert_ptr_nonnull(t);
	ck_assert_ptr_null(find(t, 0));
	tokens_free(t);
}
END_TEST

/* A token is found by all of its digest: one that differs in any one bit is not it. */
START_TEST(the_whole_digest_counts)
{
	struct tokens *t = must_parse(C " infer *\n" A " infer *\n" B " infer *\n");
	unsigned char digest[SHA256_BYTES];

	for (size_t i = 0; i < t->count; i++)
		for (size_t bit = 0; bit < (size_t)8 * SHA256_BYTES; bit++) {
			memcpy(digest, t->list[i]->digest, sizeof(digest));
			ck_assert_ptr_eq(tokens_find(t, digest), t->list[i]);
			digest[bit / 8] ^= (unsigned char)(1 << bit % 8);
			ck_assert_ptr_null(tokens_find(t, digest));
		}
	tokens_free(t);
}
END_TEST

/* Digests with the same beginning are told apart, whatever their number. */
START_TEST(digests_that_begin_alike)
{
	static char text[100 * 80];
	struct tokens *t;
	size_t len = 0;

	for (unsigned i = 0; i < 100; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%.60s%04x infer m%u\n", A, i * 7, i);
	t = must_parse(text);
	ck_assert_uint_eq(t->count, 100);
	for (size_t i = 0; i < t->count; i++) {
		ck_assert_ptr_eq(tokens_find(t, t->list[i]->digest), t->list[i]);
		ck_assert_uint_eq(t->list[i]->line, i + 1);
	}
	tokens_free(t);
}
END_TEST

START_TEST(prefixes)
{
	static const struct {
		const char *models;
		size_t count; /* of prefixes that are kept */
		const char *in, *out;
	} cases[] = {
		{ "*", 0, "anything", NULL },
		{ "a", 1, "a", "b" },
		{ "team-a.", 1, "team-a.x", "team-a" },
		{ "team-a.", 1, "team-a.", "team-b.x" },
		{ "b,a", 2, "abc", "c" },
		{ "b,a", 2, "bcd", "A" },
		{ "ab,a,abc", 1, "ac", "b" },
		{ "a-,a.,a_", 3, "a.b", "ab" },
		{ "x,y,z,w", 4, "zz", "v" },
		{ "a,a", 1, "a1", "1a" },
	};
	char line[200];

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tokens *t;
		const struct caller *c;
		struct err e = { 0 };

		snprintf(line, sizeof(line), "%s train %s", A, cases[i].models);
		t = must_parse(line);
		c = &t->list[0]->caller;
		ck_assert_uint_eq(c->prefix_count, cases[i].count);
		ck_assert_msg(caller_check_model(c, cases[i].in, &e) == 0, "%s: %s", cases[i].models, e.detail);
		if (cases[i].out != NULL) {
			ck_assert_msg(caller_check_model(c, cases[i].out, &e) < 0, "%s", cases[i].models);
			ck_assert_int_eq(e.code, ERR_FORBIDDEN);
		}
		tokens_free(t);
	}
}
END_TEST

/* Sorted prefixes and a search give what comparing with each gives. */
START_TEST(prefixes_as_by_comparing_with_each)
{
	static const char letters[] = "ab.";
	char words[39][4], line[600];
	size_t n = 0;

	for (size_t len = 1; len <= 3; len++)
		for (size_t i = 0; i < (len == 1 ? 3 : len == 2 ? 9 : 27); i++, n++)
			for (size_t k = 0, rest = i; k <= len; k++, rest /= 3)
				words[n][k] = k < len ? letters[rest % 3] : '\0';
	for (unsigned seed = 1; seed < 400; seed++) {
		size_t len = (size_t)snprintf(line, sizeof(line), "%s infer zz", A);
		const char *given[6];
		size_t count = 0;
		struct tokens *t;

		for (unsigned k = 0; k < 1 + seed % 6; k++) {
			const char *word = words[(seed * 2654435761u >> (3 * k)) % n];

			if (word[0] == '.')
				continue;
			given[count++] = word;
			len += (size_t)snprintf(line + len, sizeof(line) - len, ",%s", word);
		}
		t = must_parse(line);
		for (size_t i = 0; i < n; i++) {
			bool expected = false;

			for (size_t k = 0; k < count; k++)
				expected = expected || strncmp(given[k], words[i], strlen(given[k])) == 0;
			ck_assert_msg(
			    caller_has_model(&t->list[0]->caller, words[i]) == expected, "%s: %s", line, words[i]);
		}
		tokens_free(t);
	}
}
END_TEST

START_TEST(roles)
{
	/* Who may make a call: nobody, infer, train, admin of some models, admin. */
	static const struct {
		enum access access;
		bool may[5];
	} cases[] = {
		{ ACCESS_UNSAID, { false, false, false, false, false } },
		{ ACCESS_OPEN, { true, true, true, true, true } },
		{ ACCESS_INFER, { false, true, true, true, true } },
		{ ACCESS_TRAIN, { false, false, true, true, true } },
		{ ACCESS_ADMIN, { false, false, false, true, true } },
		{ ACCESS_SERVER, { false, false, false, false, true } },
	};
	static const char *const some[] = { "a" };
	const struct caller callers[] = { caller_nobody, { .role = ACCESS_INFER }, { .role = ACCESS_TRAIN },
		{ .role = ACCESS_ADMIN, .prefixes = some, .prefix_count = 1 }, { .role = ACCESS_ADMIN } };

	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t k = 0; k < COUNT(callers); k++) {
			struct err e = { 0 };
			const bool may = caller_check_role(&callers[k], cases[i].access, &e) == 0;

			ck_assert_msg(may == cases[i].may[k], "%zu %zu: %s", i, k, e.detail);
			ck_assert_int_eq(e.code, may ? ERR_NONE : ERR_FORBIDDEN);
		}
	ck_assert(!caller_has_model(&caller_nobody, "a"));
	ck_assert(caller_has_model(&caller_anyone, "a"));
}
END_TEST

START_TEST(tokens_that_stay_stay_the_same_objects)
{
	struct tokens *old = must_parse(A " infer x\n" B " infer *\n" C " infer a,b");
	struct tokens *t = must_parse(B " admin *\n" C " infer b,a # moved\n" A " infer x,y\n");
	struct token *kept = tokens_find(old, find(old, 0xaa)->digest), *same;

	same = token_ref(tokens_find(old, old->list[0]->digest));
	ck_assert_str_eq(same->caller.name, "01234567");
	tokens_keep(t, old);
	ck_assert_ptr_ne(find(t, 0xaa), kept);
	ck_assert_ptr_ne(find(t, 0xbb), find(old, 0xbb));
	ck_assert_ptr_eq(t->list[0], same);
	tokens_free(old);
	ck_assert_ptr_eq(tokens_find(t, same->digest), same);
	ck_assert_uint_eq(t->list[2]->caller.role, ACCESS_ADMIN);
	token_unref(same);
	tokens_free(t);
}
END_TEST

/* The digest of a text is what sha256sum says of it. */
START_TEST(digests_of_texts)
{
	unsigned char digest[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];

	token_digest("abc", 3, digest);
	sha256_format(digest, text);
	ck_assert_str_eq(text, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("tokens");
	TCase *tc = tcase_create("tokens");

	tcase_add_test(tc, files_that_are_read);
	tcase_add_test(tc, files_that_are_refused);
	tcase_add_test(tc, long_lines_and_bytes_that_are_no_text);
	tcase_add_test(tc, the_whole_digest_counts);
	tcase_add_test(tc, digests_that_begin_alike);
	tcase_add_test(tc, prefixes);
	tcase_add_test(tc, prefixes_as_by_comparing_with_each);
	tcase_add_test(tc, roles);
	tcase_add_test(tc, tokens_that_stay_stay_the_same_objects);
	tcase_add_test(tc, digests_of_texts);
	suite_add_tcase(suite, tc);
	return suite;
}
