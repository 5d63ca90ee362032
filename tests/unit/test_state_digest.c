/* SPDX-License-Identifier: MIT */
/* The option expect: which digests it takes for a live state and for that of a version, and what it says of others. */
#include "tests/unit/unit.h"

#include <string.h>

#include "handlers/definition_stored.h"
#include "handlers/routes.h"
#include "handlers/state_digest.h"
#include "storage/snapshot.h"

static const struct input *const inputs[] = { &expect_input, NULL };
static const struct route route = ROUTE("POST", "/", OPEN, .inputs = inputs);

/* The digest of version 7. */
static unsigned char version_digest[SHA256_BYTES];

static const struct snapshot *
make(uint64_t version)
{
	struct err e = { 0 };
	struct layer_identity *identity =
	    layer_identity_new(1, "m", "l", "{\"kind\":\"layer_norm\",\"normalized_shape\":[2]}",
		&(struct identity_common){ .definitions = definition_ops }, &e);
	struct snapshot given = { .identity = identity, .revision = 3, .version = version };
	const struct snapshot *s;

	ck_assert_msg(identity != NULL, "%s", e.detail);
	memset(version_digest, 0xe7, sizeof(version_digest));
	if (version != 0)
		memcpy(given.version_digest, version_digest, sizeof(version_digest));
	s = snapshot_new(&given);
	ck_assert(s != NULL);
	layer_identity_unref(identity);
	return s;
}

/* What `expect` with this value (NULL: none) comes to, and the error. */
static enum err_code
expecting(const struct snapshot *s, const char *value, struct err *e)
{
	struct budget memory;
	struct request rq;
	int result;

	budget_init(&memory, 1 << 20);
	request_init(&rq, NULL, NULL, NULL, &memory, 10000);
	rq.route = &route;
	rq.query[0] = (struct query_item){ "expect", value };
	rq.query_count = value != NULL;
	memset(e, 0, sizeof(*e));
	result = state_expect(&rq, s, e);
	ck_assert_int_eq(result, e->code == ERR_NONE ? 0 : -1);
	request_fini(&rq);
	return e->code;
}

START_TEST(expected)
{
	char own[SHA256_TEXT_BYTES], version[SHA256_TEXT_BYTES], no_version[SHA256_TEXT_BYTES];
	unsigned char digest[SHA256_BYTES];
	struct err e;

	for (uint64_t number = 0; number <= 7; number += 7) {
		const struct snapshot *s = make(number);

		state_digest(s, digest);
		sha256_format(digest, own);
		sha256_format(version_digest, version);
		ck_assert_int_eq(expecting(s, NULL, &e), ERR_NONE);
		ck_assert_int_eq(expecting(s, own, &e), ERR_NONE);
		ck_assert_int_eq(expecting(s, version, &e), number != 0 ? ERR_NONE : ERR_STATE_MISMATCH);
		ck_assert_int_eq(expecting(s, version + 1, &e), ERR_BAD_PARAMETER);

		/* What a live state has in the place of a version's digest is not accepted. */
		memset(digest, 0, sizeof(digest));
		sha256_format(digest, no_version);
		ck_assert_int_eq(expecting(s, no_version, &e), ERR_STATE_MISMATCH);
		ck_assert_str_eq(e.expected, no_version);
		ck_assert_str_eq(e.actual, own);
		ck_assert_int_eq(strstr(e.detail, version) != NULL, number != 0);
		snapshot_unref(s);
	}
}
END_TEST

/* It is computed once: then the snapshot has it. */
START_TEST(remembered)
{
	const struct snapshot *s = make(0);
	unsigned char digest[SHA256_BYTES], got[SHA256_BYTES];

	ck_assert(!snapshot_digest_get(s, got));
	state_digest(s, digest);
	ck_assert(snapshot_digest_get(s, got));
	ck_assert_mem_eq(got, digest, SHA256_BYTES);
	state_digest(s, got);
	ck_assert_mem_eq(got, digest, SHA256_BYTES);
	snapshot_unref(s);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("state_digest");
	TCase *all = tcase_create("expect");

	tcase_add_test(all, expected);
	tcase_add_test(all, remembered);
	suite_add_tcase(suite, all);
	return suite;
}
