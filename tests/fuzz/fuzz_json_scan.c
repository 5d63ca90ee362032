/* SPDX-License-Identifier: MIT */
/*
 * The JSON scanner. The input is four bytes of setup (which slots, how much memory, how the document is cut) and a
 * document.
 *
 *   - In pieces it comes to the same as whole: the same error, or the same envelope and tensors, bit for bit.
 *   - What is accepted is JSON to an independent judge, and means what it means to cJSON.
 *   - What is refused as bad_json is no JSON to the judge, too deep, or has a key twice; and what stands before the
 *     error's offset is not to blame: fed alone it is taken.
 *   - The tensors keep the memory limit; written by the encoder and read again they have the same bits.
 *   - Any text that is quoted is JSON, and what the scanner reads of it is written the same again.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/quote.h"
#include "codec/json_scan.h"
#include "codec/json_write.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_judge.h"
#include "tests/fuzz/json_meaning.h"

#define SETUP_BYTES 4
#define CJSON_NUMBER_MAX 63 /* cJSON takes no number with more characters */
#define TEXT_MAX ((size_t)1 << 20)

struct slot_list {
	struct json_slot slots[JSON_SLOTS_MAX];
	size_t count;
};

static const struct slot_list slot_lists[] = {
	{ { { .key = "", .datatype = DATATYPE_FP32 }, { .key = "input", .datatype = DATATYPE_FP32 },
	      { .key = "weight", .datatype = DATATYPE_FP64 }, { .key = "bias", .datatype = DATATYPE_FP64 } },
	    4 },
	{ { { .key = "", .datatype = DATATYPE_FP32 }, { .key = "mask", .datatype = DATATYPE_BOOL } }, 2 },
	{ { { .key = "", .datatype = DATATYPE_FP64 }, { .key = "input", .datatype = DATATYPE_FP16 } }, 2 },
	{ { { .key = "", .datatype = DATATYPE_FP32, .by_layer = true },
	      { .key = "input", .datatype = DATATYPE_FP32, .by_layer = true } },
	    2 },
	{ { { .key = "", .datatype = DATATYPE_FP32 } }, 0 },
};

static const size_t limits[] = { 4096, 0, 3, 4, 8, 31, 64, (size_t)1 << 20 };

struct setup {
	const struct slot_list *slots;
	size_t bytes_max;
	enum datatype by_layer;
	struct fuzz_cuts cuts;
};

static struct setup
setup_parse(const uint8_t bytes[SETUP_BYTES])
{
	return (struct setup){
		.slots = &slot_lists[bytes[0] % COUNT(slot_lists)],
		.bytes_max = limits[bytes[1] % COUNT(limits)],
		.by_layer = (enum datatype)(bytes[1] / COUNT(limits) % DATATYPE_BF16),
		.cuts = { .first = bytes[2], .step = bytes[3] },
	};
}

static struct json_scan *
scan_new(const struct setup *setup)
{
	struct json_scan *s = json_scan_new(setup->slots->slots, setup->slots->count, setup->bytes_max, NULL);

	fuzz_check(s != NULL, "no memory");
	return s;
}

static int
feed(void *decoder, const char *bytes, size_t len, struct err *e)
{
	return json_scan_feed(decoder, bytes, len, e);
}

/* The finished scanner of a document, or NULL with the error. */
static struct json_scan *
scan_document(const struct setup *setup, const char *document, size_t len, const struct fuzz_cuts *cuts, struct err *e)
{
	struct json_scan *s = scan_new(setup);

	*e = (struct err){ 0 };
	if (fuzz_feed(feed, s, document, len, cuts, e) == 0 && json_scan_finish(s, e) == 0 &&
	    json_scan_settle(s, setup->by_layer, e) == 0)
		return s;
	json_scan_free(s);
	return NULL;
}

static void
check_same_envelope(const struct json_scan *a, const struct json_scan *b)
{
	char *text_a = cJSON_PrintUnformatted(json_scan_envelope(a));
	char *text_b = cJSON_PrintUnformatted(json_scan_envelope(b));

	fuzz_check(text_a != NULL && text_b != NULL, "no memory");
	fuzz_check(strcmp(text_a, text_b) == 0, "the envelopes differ: %s %s", text_a, text_b);
	cJSON_free(text_a);
	cJSON_free(text_b);
}

static void
check_same_tensor(const struct tensor *a, const struct tensor *b)
{
	fuzz_check(a->datatype == b->datatype && a->rank == b->rank && a->count == b->count &&
		memcmp(a->shape, b->shape, a->rank * sizeof(*a->shape)) == 0,
	    "the tensors' shapes differ");
	fuzz_check(a->count == 0 || memcmp(a->values, b->values, a->count * datatype_size(a->datatype)) == 0,
	    "the tensors' values differ");
}

static void
check_same_result(const struct setup *setup, struct json_scan *a, struct json_scan *b)
{
	const struct tensor *t, *u;

	check_same_envelope(a, b);
	for (size_t i = 0; i < setup->slots->count; i++) {
		t = json_scan_tensor(a, i);
		u = json_scan_tensor(b, i);
		fuzz_check((t == NULL) == (u == NULL), "a tensor is missing");
		if (t != NULL) {
			check_same_tensor(t, u);
			fuzz_check(t->nested == u->nested, "one is nested, one flat");
		}
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
check_tensor(const struct tensor *t)
{
	size_t count = 1;

	fuzz_check(t->rank >= 1 && t->rank <= TENSOR_RANK_MAX, "a tensor of rank %u", t->rank);
	for (unsigned i = 0; i < t->rank; i++)
		count *= t->shape[i];
	fuzz_check(count == t->count, "%zu values do not fit the shape", t->count);
	fuzz_check((t->values == NULL) == (count == 0), "values that are not there");
}

/* Writes the tensor as the root of a document, `room` bytes at a time. To be freed. */
static struct buf
write_tensor(const struct tensor *t, size_t room)
{
	struct json_tensor_cursor cursor = { 0 };
	struct buf text;
	char *block;
	size_t len;

	buf_init(&text, TEXT_MAX);
	json_add_tensor_head(&text, t);
	while (!cursor.done) {
		block = malloc(room);
		fuzz_check(block != NULL, "no memory");
		len = json_tensor_read(t, &cursor, block, room);
		fuzz_check(len > 0 && len <= room, "%zu bytes written into %zu", len, room);
		buf_add(&text, block, len);
		free(block);
	}
	buf_byte(&text, '}');
	fuzz_check(!text.failed, "no memory");
	return text;
}

static void
check_writes_back(const struct tensor *t, size_t room)
{
	const struct slot_list root = { { { .key = "", .datatype = DATATYPE_FP32 } }, 1 };
	const struct setup exact = { .slots = &root, .bytes_max = t->count * datatype_size(t->datatype) };
	struct buf text = write_tensor(t, room);
	struct err e;
	struct json_scan *s = scan_document(&exact, text.bytes, text.len, &exact.cuts, &e);

	fuzz_check(s != NULL, "what the encoder wrote is refused: %s", e.detail);
	fuzz_check(json_scan_tensor(s, 0) != NULL, "the encoder wrote no tensor");
	check_same_tensor(json_scan_tensor(s, 0), t);
	fuzz_check(json_scan_tensor(s, 0)->nested == (t->nested && t->rank > 1 && t->shape[0] > 0), "nested otherwise");
	json_scan_free(s);
	buf_fini(&text);
}

static void
check_accepted(const struct setup *setup, struct json_scan *s, const char *document, size_t len)
{
	struct json_judgement judged = json_judge(document, len);
	cJSON *tree = cJSON_ParseWithLength(document, len);
	size_t bytes = 0;
	const struct tensor *t;

	fuzz_check(judged.valid && !judged.duplicate && judged.depth <= JSON_DEPTH_MAX, "accepted, but not valid");
	fuzz_check(tree != NULL || judged.longest > CJSON_NUMBER_MAX, "accepted, but not by cJSON");
	if (tree != NULL)
		json_meaning_check(s, tree);
	cJSON_Delete(tree);
	for (size_t i = 0; i < setup->slots->count; i++) {
		t = json_scan_tensor(s, i);
		if (t == NULL)
			continue;
		check_tensor(t);
		if (t->datatype != DATATYPE_BOOL)
			check_writes_back(t, JSON_TENSOR_ROOM + 8 * setup->cuts.step);
		bytes += t->count * datatype_size(t->datatype);
	}
	fuzz_check(bytes <= setup->bytes_max, "%zu bytes of tensors", bytes);
}

static void
check_refused(const struct setup *setup, const struct err *e, const char *document, size_t len)
{
	struct json_judgement judged;
	struct json_scan *s;
	struct err unused;

	fuzz_check(e->code == ERR_BAD_JSON || e->code == ERR_BAD_TENSOR || e->code == ERR_BAD_PARAMETER ||
		e->code == ERR_BODY_TOO_LARGE,
	    "%s", e->detail);
	fuzz_check(e->has_offset && e->offset <= len, "the offset lies beyond the document: %s", e->detail);
	if (e->code == ERR_BAD_JSON) {
		judged = json_judge(document, len);
		fuzz_check(
		    !judged.valid || judged.duplicate || judged.depth > JSON_DEPTH_MAX, "refused: %s", e->detail);
	}
	s = scan_new(setup);
	fuzz_check(
	    fuzz_feed(feed, s, document, (size_t)e->offset, &setup->cuts, &unused) == 0, "wrong before: %s", e->detail);
	json_scan_free(s);
}

/* Writes the text as a string and reads that; *again is what comes of writing the string that was read. */
static void
write_string(const char *text, struct buf *written, struct buf *again)
{
	const struct slot_list none = { 0 };
	const struct setup setup = { .slots = &none };
	struct json_scan *s;
	struct err e;

	buf_init(written, TEXT_MAX);
	buf_init(again, TEXT_MAX);
	quote_json(written, text);
	fuzz_check(!written->failed, "no memory");
	s = scan_document(&setup, written->bytes, written->len, &setup.cuts, &e);
	fuzz_check(s != NULL, "a string that was written is refused: %s", e.detail);
	fuzz_check(envelope_type(json_scan_envelope(s)) == ENVELOPE_STRING, "it was no string");
	quote_json(again, envelope_text(json_scan_envelope(s)));
	json_scan_free(s);
}

static void
check_string(const char *document, size_t len)
{
	char *text = fuzz_text(document, len);
	struct buf written, again;

	write_string(text, &written, &again);
	fuzz_check(json_judge(written.bytes, written.len).valid, "a string was written wrong");
	fuzz_check(written.len == again.len && memcmp(written.bytes, again.bytes, written.len) == 0,
	    "another string was read");
	buf_fini(&written);
	buf_fini(&again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct fuzz_cuts none = { 0, 0 };
	struct setup setup;
	struct json_scan *whole, *cut;
	struct err e, cut_e;
	char *document;

	if (len < SETUP_BYTES)
		return 0;
	setup = setup_parse(bytes);
	len -= SETUP_BYTES;
	document = fuzz_copy(bytes + SETUP_BYTES, len);
	whole = scan_document(&setup, document, len, &none, &e);
	cut = scan_document(&setup, document, len, &setup.cuts, &cut_e);
	fuzz_check((whole == NULL) == (cut == NULL), "accepted or not: %s%s", e.detail, cut_e.detail);
	if (whole != NULL) {
		check_same_result(&setup, whole, cut);
		check_accepted(&setup, whole, document, len);
	} else {
		check_same_error(&e, &cut_e);
		check_refused(&setup, &e, document, len);
	}
	check_string(document, len);
	json_scan_free(whole);
	json_scan_free(cut);
	free(document);
	return 0;
}
