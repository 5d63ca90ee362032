/* SPDX-License-Identifier: MIT */
/*
 * The decoder of the Open Inference Protocol's bodies. The input is four bytes of setup (how long the document is said
 * to be, how much memory, how the body is cut) and a body; the document ends at the first NUL, which is taken out.
 *
 *   - In pieces it comes to the same as whole: the same error, or the same envelope and inputs, bit for bit. A body in
 *     one piece may take another way through the decoder (oip_small.h), so this compares the two.
 *   - What is accepted is JSON to an independent judge, and means what it means to cJSON; the inputs are its list, in
 *     its order, with different names; the bytes behind it are their values, without a gap.
 *   - What is refused as bad_json is no JSON, too deep, or has a key twice; and what stands before the error's offset
 *     is not to blame: fed alone it is taken.
 *   - The tensors keep the memory limit.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "codec/body.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_judge.h"
#include "tests/fuzz/json_meaning.h"

#define SETUP_BYTES 4
#define CJSON_NUMBER_MAX 63 /* cJSON takes no number with more characters */

/* What the limit of the body, which the tensors keep too, is above its length. */
static const size_t limits[] = { (size_t)1 << 20, 4096, 0, 3, 8, 31, 64 };

struct setup {
	size_t header_bytes;
	size_t bytes_max;
	struct fuzz_cuts cuts;
};

/* The body as it is sent. */
struct sent {
	char *bytes;
	size_t len;
	size_t document; /* bytes of it; all, where none is said to follow */
};

static const struct fuzz_cuts whole = { 0, 0 };

/* Takes the NUL out of the body, and finds out what the request says of it. */
static struct setup
setup_parse(const uint8_t bytes[SETUP_BYTES], struct sent *body)
{
	char *end = memchr(body->bytes, '\0', body->len);
	struct setup setup = { .bytes_max = body->len + limits[bytes[1] % COUNT(limits)],
		.cuts = { .first = bytes[2], .step = bytes[3] } };

	body->document = body->len;
	if (end == NULL || bytes[0] == 0)
		return setup;
	body->document = (size_t)(end - body->bytes);
	memmove(end, end + 1, --body->len - body->document);
	/* Mostly the truth; also a little more, or less. */
	setup.header_bytes = body->document + (bytes[0] > 100 ? bytes[0] - 100U : 0);
	if (bytes[0] > 200)
		setup.header_bytes = bytes[0] - 200U;
	if (setup.header_bytes == 0 || setup.header_bytes > body->len)
		body->document = body->len;
	else
		body->document = setup.header_bytes;
	return setup;
}

static int
feed(void *body, const char *bytes, size_t len, struct err *e)
{
	size_t taken = len;
	const int result = body_feed(body, bytes, len, &taken, e);

	fuzz_check(taken == len, "bytes were not taken");
	return result;
}

static struct body *
new_body(const struct setup *setup)
{
	struct body *b = body_new(&(struct body_options){
	    .form = FORM_OIP, .bytes_max = setup->bytes_max, .header_bytes = setup->header_bytes });

	fuzz_check(b != NULL, "no memory");
	return b;
}

/* The finished body, or NULL with the error. */
static struct body *
decode(const struct setup *setup, const struct sent *sent, const struct fuzz_cuts *cuts, struct err *e)
{
	struct body *b = new_body(setup);

	*e = (struct err){ 0 };
	if (fuzz_feed(feed, b, sent->bytes, sent->len, cuts, e) == 0 && body_finish(b, e) == 0 &&
	    body_settle(b, DATATYPE_FP32, e) == 0)
		return b;
	body_free(b);
	return NULL;
}

static void
check_same_envelope(const struct cJSON *a, const struct cJSON *b)
{
	char *text_a = cJSON_PrintUnformatted(a), *text_b = cJSON_PrintUnformatted(b);

	fuzz_check(text_a != NULL && text_b != NULL, "no memory");
	fuzz_check(strcmp(text_a, text_b) == 0, "the envelopes differ: %s %s", text_a, text_b);
	cJSON_free(text_a);
	cJSON_free(text_b);
}

static size_t
bytes_of(const struct tensor *t)
{
	return t->count * datatype_size(t->datatype);
}

static void
check_same_tensor(const struct tensor *a, const struct tensor *b)
{
	fuzz_check(a->datatype == b->datatype && a->rank == b->rank && a->count == b->count && a->nested == b->nested &&
		memcmp(a->shape, b->shape, a->rank * sizeof(*a->shape)) == 0,
	    "the tensors' shapes differ");
	fuzz_check(a->count == 0 || memcmp(a->values, b->values, bytes_of(a)) == 0, "the tensors' values differ");
}

static void
check_same_result(const struct body *a, const struct body *b)
{
	size_t count, other;
	const struct oip_input *x = body_inputs(a, &count), *y = body_inputs(b, &other);

	check_same_envelope(body_envelope(a), body_envelope(b));
	fuzz_check(count == other, "%zu inputs, and %zu", count, other);
	for (size_t i = 0; i < count; i++) {
		fuzz_check(strcmp(x[i].name, y[i].name) == 0 && x[i].binary == y[i].binary, "the inputs differ");
		check_same_tensor(x[i].tensor, y[i].tensor);
	}
}

static void
check_same_error(const struct err *a, const struct err *b)
{
	fuzz_check(a->code == b->code && a->has_offset == b->has_offset && a->offset == b->offset &&
		strcmp(a->detail, b->detail) == 0 && strcmp(a->expected, b->expected) == 0 &&
		strcmp(a->actual, b->actual) == 0,
	    "the errors differ: %s | %s", a->detail, b->detail);
}

static void
check_inputs(const struct setup *setup, const struct body *b, const struct sent *sent)
{
	size_t count, bytes = 0, at = sent->document;
	const struct oip_input *inputs = body_inputs(b, &count);
	const struct cJSON *member = envelope_first(envelope_get(body_envelope(b), "inputs"));

	for (size_t i = 0; i < count; i++, member = envelope_next(member)) {
		const struct tensor *t = inputs[i].tensor;
		size_t product = 1;

		fuzz_check(member != NULL && strcmp(inputs[i].name, envelope_text(envelope_get(member, "name"))) == 0,
		    "a name");
		for (unsigned k = 0; k < t->rank; k++)
			product *= t->shape[k];
		fuzz_check(t->rank >= 1 && product == t->count, "%zu values do not fit the shape", t->count);
		fuzz_check((t->values == NULL) == (t->count == 0), "values that are not there");
		for (size_t k = 0; k < i; k++)
			fuzz_check(strcmp(inputs[k].name, inputs[i].name) != 0, "two inputs have one name");
		bytes += bytes_of(t);
		if (!inputs[i].binary)
			continue;
		fuzz_check(bytes_of(t) <= sent->len - at, "more bytes than were sent");
		fuzz_check(t->count == 0 || memcmp(t->values, sent->bytes + at, bytes_of(t)) == 0, "other bytes");
		at += bytes_of(t);
	}
	fuzz_check(member == NULL, "an input is missing");
	fuzz_check(at == sent->len, "bytes were sent that belong to no input");
	fuzz_check(bytes <= 2 * setup->bytes_max, "%zu bytes of tensors", bytes);
}

/* Writes a digit in place of words that are values, outside of strings. Returns how many there were. */
static size_t
replace_words(char *text, size_t *len)
{
	static const char *const words[] = { "NaN", "-Infinity", "Infinity" };
	bool in_string = false;
	size_t replaced = 0;

	for (size_t i = 0; i < *len; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		for (size_t k = 0; !in_string && k < COUNT(words); k++)
			if (*len - i >= strlen(words[k]) && memcmp(text + i, words[k], strlen(words[k])) == 0) {
				text[i] = '0';
				*len -= strlen(words[k]) - 1;
				memmove(text + i + 1, text + i + strlen(words[k]), *len - i - 1);
				replaced++;
				break;
			}
	}
	return replaced;
}

/* Scans the document alone, and compares that with cJSON and with the body's envelope. */
static void
check_document(const struct setup *setup, const struct body *b, const char *text, size_t len)
{
	struct json_scan *s = json_scan_new_listed("inputs", setup->bytes_max, NULL);
	cJSON *tree = cJSON_ParseWithLength(text, len);
	struct err e;

	fuzz_check(s != NULL, "no memory");
	fuzz_check(json_scan_feed(s, text, len, &e) == 0 && json_scan_finish(s, &e) == 0 &&
		json_scan_settle(s, DATATYPE_FP32, &e) == 0,
	    "accepted, but not alone: %s", e.detail);
	check_same_envelope(json_scan_envelope(s), body_envelope(b));
	fuzz_check(tree != NULL, "accepted, but not by cJSON");
	json_meaning_check(s, tree);
	cJSON_Delete(tree);
	json_scan_free(s);
}

static void
check_accepted(const struct setup *setup, const struct body *b, const struct sent *sent)
{
	size_t len = sent->document;
	char *text = fuzz_copy(sent->bytes, len);
	const size_t words = replace_words(text, &len);
	const struct json_judgement judged = json_judge(text, len);

	fuzz_check(judged.valid && !judged.duplicate && judged.depth <= JSON_DEPTH_MAX, "accepted, but not valid");
	if (words == 0 && judged.longest <= CJSON_NUMBER_MAX)
		check_document(setup, b, text, len);
	free(text);
	check_inputs(setup, b, sent);
}

static void
check_refused(const struct setup *setup, const struct err *e, const struct sent *sent)
{
	struct json_judgement judged;
	struct body *b;
	struct err unused = { 0 };

	fuzz_check(e->code == ERR_BAD_JSON || e->code == ERR_BAD_TENSOR || e->code == ERR_BAD_PARAMETER ||
		e->code == ERR_BODY_TOO_LARGE,
	    "%s", e->detail);
	if (e->code == ERR_BAD_JSON) {
		judged = json_judge(sent->bytes, sent->document);
		fuzz_check(
		    !judged.valid || judged.duplicate || judged.depth > JSON_DEPTH_MAX, "refused: %s", e->detail);
	}
	if (!e->has_offset)
		return;
	fuzz_check(e->offset <= sent->len, "the offset lies beyond the body: %s", e->detail);
	/* The last byte of the document ends it, which may be what is wrong. */
	if (e->offset == setup->header_bytes)
		return;
	b = new_body(setup);
	fuzz_check(fuzz_feed(feed, b, sent->bytes, (size_t)e->offset, &setup->cuts, &unused) == 0, "wrong before: %s",
	    e->detail);
	body_free(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct setup setup;
	struct sent sent;
	struct body *at_once, *cut;
	struct err e, cut_e;

	if (len < SETUP_BYTES)
		return 0;
	sent.len = len - SETUP_BYTES;
	sent.bytes = fuzz_copy(bytes + SETUP_BYTES, sent.len);
	if (sent.bytes == NULL)
		return 0;
	setup = setup_parse(bytes, &sent);
	at_once = decode(&setup, &sent, &whole, &e);
	cut = decode(&setup, &sent, &setup.cuts, &cut_e);
	fuzz_check((at_once == NULL) == (cut == NULL), "accepted or not: %s%s", e.detail, cut_e.detail);
	if (at_once != NULL) {
		check_same_result(at_once, cut);
		check_accepted(&setup, at_once, &sent);
	} else {
		check_same_error(&e, &cut_e);
		check_refused(&setup, &e, &sent);
	}
	body_free(at_once);
	body_free(cut);
	free(sent.bytes);
	return 0;
}
