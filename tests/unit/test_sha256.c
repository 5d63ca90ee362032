/* SPDX-License-Identifier: MIT */
/* SHA-256: the examples of FIPS 180-4, pieces of every length, values that are copied, and the text form. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The text of the digest of all that was added. */
static const char *
ended(struct sha256 *s)
{
	static char text[SHA256_TEXT_BYTES];
	unsigned char digest[SHA256_BYTES];

	sha256_end(s, digest);
	sha256_format(digest, text);
	return text;
}

START_TEST(published)
{
	static const char *const cases[][2] = {
		{ "", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmno"
		  "pqrstnopqrstu",
		    "sha256:cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
	};
	struct sha256 s;

	for (size_t i = 0; i < COUNT(cases); i++) {
		sha256_begin(&s);
		sha256_add(&s, cases[i][0], strlen(cases[i][0]));
		ck_assert_str_eq(ended(&s), cases[i][1]);
	}
}
END_TEST

START_TEST(a_million)
{
	char thousand[1000];
	struct sha256 s;

	memset(thousand, 'a', sizeof(thousand));
	sha256_begin(&s);
	for (int i = 0; i < 1000; i++)
		sha256_add(&s, thousand, sizeof(thousand));
	ck_assert_str_eq(ended(&s), "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

/* Texts of every length around one and two blocks, in pieces of every length, and of none between them. */
START_TEST(pieces)
{
	unsigned char bytes[131], whole[SHA256_BYTES], cut[SHA256_BYTES];
	struct sha256 s;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 37 + 11);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		sha256_begin(&s);
		sha256_add(&s, bytes, len);
		sha256_end(&s, whole);
		for (size_t step = 1; step <= len; step++) {
			sha256_begin(&s);
			for (size_t at = 0; at < len; at += step) {
				sha256_add(&s, bytes + at, len - at < step ? len - at : step);
				sha256_add(&s, NULL, 0);
			}
			sha256_end(&s, cut);
			ck_assert_mem_eq(cut, whole, SHA256_BYTES);
		}
	}
}
END_TEST

/* Several at once do not disturb each other, and a copy goes on by itself. */
START_TEST(several)
{
	struct sha256 s[3], copy;
	char first[SHA256_TEXT_BYTES];

	for (size_t i = 0; i < COUNT(s); i++)
		sha256_begin(&s[i]);
	for (const char *p = "abc"; *p != '\0'; p++)
		for (size_t i = 0; i < COUNT(s); i++)
			sha256_add(&s[i], p, i + 1 == COUNT(s) ? 0 : 1);
	copy = s[0];
	sha256_add(&copy, "d", 1);
	strcpy(first, ended(&s[0]));
	ck_assert_str_eq(first, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	ck_assert_str_eq(ended(&s[1]), first);
	ck_assert_str_eq(ended(&s[2]), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	ck_assert_str_eq(ended(&copy), "sha256:88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589");
}
END_TEST

START_TEST(texts)
{
	unsigned char digest[SHA256_BYTES], again[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES], wrong[SHA256_TEXT_BYTES + 1];

	for (unsigned i = 0; i < SHA256_BYTES; i++)
		digest[i] = (unsigned char)(i * 0x1d + 0x0f);
	sha256_format(digest, text);
	ck_assert(strncmp(text, "sha256:0f2c4966", 15) == 0);
	ck_assert(sha256_parse(text, again));
	ck_assert_mem_eq(again, digest, SHA256_BYTES);

	/* Every byte is looked at, and nothing may be missing or follow. */
	for (size_t i = 0; i < strlen(text); i++) {
		for (const char *c = "gA F:"; *c != '\0'; c++) {
			strcpy(wrong, text);
			wrong[i] = wrong[i] == *c ? 'x' : *c;
			ck_assert_msg(!sha256_parse(wrong, again), "%s", wrong);
		}
		memcpy(wrong, text, i);
		wrong[i] = '\0';
		ck_assert_msg(!sha256_parse(wrong, again), "%s", wrong);
	}
	strcpy(wrong, text);
	strcat(wrong, "0");
	ck_assert(!sha256_parse(wrong, again));
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("sha256");
	TCase *all = tcase_create("sha256");

	tcase_add_test(all, published);
	tcase_add_test(all, a_million);
	tcase_add_test(all, pieces);
	tcase_add_test(all, several);
	tcase_add_test(all, texts);
	suite_add_tcase(suite, all);
	return suite;
}
