/* SPDX-License-Identifier: MIT */
#include "handlers/state_digest.h"

#include <inttypes.h>
#include <string.h>

#include "layer/layer_digest.h"
#include "handlers/option.h"

const struct input digest_shown_input = { "digest", INPUT_TEXT, .places = INPUT_BODY };
const struct input expect_input = { "expect", INPUT_TEXT, .places = INPUT_QUERY };

void
state_digest(const struct snapshot *s, unsigned char out[SHA256_BYTES])
{
	if (snapshot_digest_get(s, out))
		return;
	layer_digest(s->identity->parsed, &s->statistics, s->weight.values, s->bias.values, out);
	snapshot_digest_set(s, out);
}

void
state_digest_show(struct buf *b, const struct snapshot *s)
{
	unsigned char digest[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];

	state_digest(s, digest);
	sha256_format(digest, text);
	buf_printf(b, ",\"digest\":\"%s\"", text);
}

/* The digest of a version stands for the state that the layer has in it. */
static bool
is_expected(
    const struct snapshot *s, const unsigned char actual[SHA256_BYTES], const unsigned char expected[SHA256_BYTES])
{
	return memcmp(actual, expected, SHA256_BYTES) == 0 ||
	    (s->version != 0 && memcmp(s->version_digest, expected, SHA256_BYTES) == 0);
}

static int
refuse_state(const struct snapshot *s, const unsigned char actual[SHA256_BYTES],
    const unsigned char expected[SHA256_BYTES], struct err *e)
{
	char version[SHA256_TEXT_BYTES];

	if (s->version == 0) {
		err_set(e, ERR_STATE_MISMATCH,
		    "layer \"%s\" has another digest at its present revision, %" PRIu64 ", than \"expect\" demands",
		    s->identity->name, s->revision);
	} else {
		sha256_format(s->version_digest, version);
		err_set(e, ERR_STATE_MISMATCH,
		    "layer \"%s\" has another digest in version %" PRIu64 ", at revision %" PRIu64
		    ", than \"expect\" demands, and so has the version itself: %s",
		    s->identity->name, s->version, s->revision, version);
	}
	sha256_format(expected, e->expected);
	sha256_format(actual, e->actual);
	return -1;
}

int
state_expect(const struct request *rq, const struct snapshot *s, struct err *e)
{
	unsigned char expected[SHA256_BYTES], actual[SHA256_BYTES];
	struct option o;

	if (option_find(rq, &expect_input, &o, e) < 0)
		return -1;
	if (!option_given(&o))
		return 0;
	if (!sha256_parse(o.text, expected))
		return option_refuse(
		    &expect_input, &o, "\"sha256:\" and 64 digits from 0 to 9 and a to f (lower case)", e);
	state_digest(s, actual);
	return is_expected(s, actual, expected) ? 0 : refuse_state(s, actual, expected, e);
}
