/* SPDX-License-Identifier: MIT */
#include "codec/json_scan.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_tokens.h"

struct scan_limits {
	size_t envelope; /* bytes */
	size_t keys;     /* of all objects together */
	size_t object_keys;
};

/* All but the slots. */
static struct json_scan *
scan_new(const struct scan_limits *limits, struct budget_share *memory)
{
	struct json_scan *s = malloc(sizeof(*s));

	if (s == NULL)
		return NULL;
	memset(s, 0, offsetof(struct json_scan, slots));
	s->state = SCAN_VALUE;
	s->place.role = JSON_ROLE_ROOT;
	s->envelope_max = limits->envelope;
	/* The envelope's limit is checked after each token, before the buffer's can be reached. */
	buf_init(&s->text, limits->envelope + 2 * JSON_PIECE_MAX);
	buf_count(&s->text, memory);
	s->keys.total_max = limits->keys;
	s->keys.object_max = limits->object_keys;
	s->keys.memory = memory;
	return s;
}

struct json_scan *
json_scan_new(const struct json_slot *slots, size_t count, size_t tensor_bytes_max, struct budget_share *memory)
{
	const struct scan_limits limits = { JSON_ENVELOPE_MAX, JSON_KEYS_MAX, JSON_KEYS_MAX };
	struct json_scan *s = scan_new(&limits, memory);

	assert(count <= JSON_SLOTS_MAX);
	if (s != NULL)
		json_slots_init(&s->slots, slots, count, tensor_bytes_max, memory);
	return s;
}

struct json_scan *
json_scan_new_listed(const char *list, size_t tensor_bytes_max, struct budget_share *memory)
{
	const struct scan_limits limits = { JSON_LISTED_ENVELOPE_MAX, JSON_LISTED_KEYS_MAX,
		JSON_LISTED_OBJECT_KEYS_MAX };
	struct json_scan *s = scan_new(&limits, memory);

	if (s != NULL)
		json_slots_init_listed(&s->slots, list, tensor_bytes_max, memory);
	return s;
}

void
json_scan_free(struct json_scan *s)
{
	if (s == NULL)
		return;
	cJSON_Delete(s->envelope);
	json_slots_fini(&s->slots);
	json_keys_fini(&s->keys);
	json_array_fini(&s->array);
	buf_fini(&s->text);
	free(s);
}

/* The envelope's limits. Beyond them this is the error, whatever other error was found there. */
static int
scan_check_text(const struct json_scan *s, struct err *e)
{
	if (s->text.len > s->envelope_max)
		return err_fail_at(e, ERR_BAD_JSON, s->token_at,
		    "a body may have at most %zu bytes that are not tensors' data", s->envelope_max);
	if (s->text.refused > 0)
		return budget_refuse(s->slots.memory, s->text.refused, e);
	return s->text.failed ? err_fail_memory(e) : 0;
}

/* Feeds at most JSON_PIECE_MAX bytes. */
static int
scan_piece(struct json_scan *s, const char *bytes, size_t len, struct err *e)
{
	struct json_input in = { .p = bytes, .start = bytes, .end = bytes + len, .start_at = s->fed };
	int result;

	while (in.p < in.end) {
		result = json_tokens_step(s, &in, e);
		if (scan_check_text(s, e) < 0 || result < 0)
			return -1;
	}
	s->fed += len;
	return 0;
}

int
json_scan_feed(struct json_scan *s, const char *bytes, size_t len, struct err *e)
{
	size_t piece;

	for (; len > 0; bytes += piece, len -= piece) {
		piece = len < JSON_PIECE_MAX ? len : JSON_PIECE_MAX;
		if (scan_piece(s, bytes, piece, e) < 0)
			return -1;
	}
	return 0;
}

/* The document has ended too early. */
static int
scan_cut(const struct json_scan *s, struct err *e)
{
	static const char *const within[] = {
		[SCAN_IN_KEY] = "a key",
		[SCAN_IN_STRING] = "a string",
		[SCAN_IN_NUMBER] = "a number",
		[SCAN_IN_LITERAL] = "true, false or null",
		[SCAN_IN_TENSOR] = "a tensor's data",
	};

	if (s->state >= SCAN_IN_KEY)
		return err_fail_at(e, ERR_BAD_JSON, s->fed, "the document ends in the middle of %s", within[s->state]);
	if (s->depth == 0)
		return err_fail_at(e, ERR_BAD_JSON, s->fed, "the document is empty");
	return err_fail_at(e, ERR_BAD_JSON, s->fed, "the document ends in the middle of %s",
	    s->frames[s->depth - 1].object ? "an object" : "a list");
}

/* The memory of a node of cJSON, and of a text beyond its bytes, with malloc's headers. */
#define NODE_BYTES ((size_t)80)
#define TEXT_BYTES ((size_t)32)

/* Parses the text into the tree, whose memory is counted before, and frees the text. */
static int
scan_parse(struct json_scan *s, struct err *e)
{
	const size_t bytes = s->nodes * (NODE_BYTES + TEXT_BYTES) + s->keys.total * TEXT_BYTES + s->text.len;

	if (budget_ask(s->slots.memory, bytes, e) < 0)
		return -1;
	s->envelope = cJSON_ParseWithLengthOpts(s->text.bytes, s->text.len, NULL, 0);
	buf_fini(&s->text);
	/* The text is valid, so only memory can be missing. */
	return s->envelope == NULL ? err_fail_memory(e) : 0;
}

int
json_scan_finish(struct json_scan *s, struct err *e)
{
	if (json_tokens_end(s, e) < 0 || scan_check_text(s, e) < 0)
		return -1;
	if (s->state != SCAN_DONE)
		return scan_cut(s, e);
	return scan_parse(s, e);
}

size_t
json_scan_envelope_bytes(const struct json_scan *s)
{
	return s->text.len;
}

int
json_scan_settle(struct json_scan *s, enum datatype by_layer, struct err *e)
{
	return json_slots_settle(&s->slots, by_layer, e);
}

const struct cJSON *
json_scan_envelope(const struct json_scan *s)
{
	return s->envelope;
}

struct tensor *
json_scan_tensor(struct json_scan *s, size_t i)
{
	if (i >= s->slots.count || !s->slots.found[i].has_data)
		return NULL;
	assert(!s->slots.found[i].values.open);
	return &s->slots.found[i].tensor;
}

size_t
json_scan_listed_count(const struct json_scan *s)
{
	return s->slots.count;
}

struct tensor *
json_scan_listed(struct json_scan *s, size_t i, bool *has_data)
{
	struct json_found *f = &s->slots.found[i];

	assert(i < s->slots.count);
	*has_data = f->has_data;
	return &f->tensor;
}
