/* SPDX-License-Identifier: MIT */
/*
 * The JSON decoder: an incremental, strict RFC 8259 scanner with two outputs. Arrays of numbers that stand where the
 * caller expects a tensor go straight into tensors, 1, 2, 4 or 8 bytes a value, and nothing else is kept; the rest is
 * the envelope (envelope.h), bounded to JSON_ENVELOPE_MAX bytes. It takes the bytes in any pieces, as they arrive.
 *
 * Where tensors stand is told by slots. A slot with key "" takes the `data` of the root object (then `shape`,
 * `datatype` and `data` are members of the root); a slot with another key takes that member of the root where it is an
 * array, or, where it is an object, that object's `data`, with its `shape` and `datatype` beside it. An array in a
 * slot's place is a tensor when it holds numbers, nested arrays of numbers, or nothing; anything else in it is
 * `bad_tensor`. An object in a slot's place must have `data`; the root need not. Any other value of a slot's key goes
 * to the envelope.
 *
 * Members come in any order. Data that comes before its datatype is kept as doubles, with what these do not tell of the
 * text (json_doubts.h), until json_scan_settle. A document that is a list is the tensor of the slot with key "", where
 * there is one.
 *
 * A scanner belongs to one thread at a time.
 */
#ifndef CODEC_JSON_SCAN_H
#define CODEC_JSON_SCAN_H

#include "base/budget.h"
#include "base/err.h"
#include "codec/envelope.h"
#include "codec/tensor.h"

#define JSON_DEPTH_MAX 100
#define JSON_ENVELOPE_MAX ((size_t)256 * 1024)
#define JSON_KEYS_MAX 4096 /* members of all objects together */
#define JSON_SLOTS_MAX 8

struct json_slot {
	const char *key;
	enum datatype datatype; /* where the text names none; BOOL takes true, false, 1 and 0, and no name */
	bool by_layer;          /* ... and json_scan_settle says which then */
};

struct json_scan;

/*
 * A scanner for one document with these slots (`count` <= JSON_SLOTS_MAX; the array and its keys must outlive the
 * scanner). All tensors together may take at most `tensor_bytes_max` bytes, which are asked for from `memory` (NULL:
 * they are not counted) and are the caller's to give back when the scanner is freed. Returns NULL when there is no
 * memory.
 */
struct json_scan *json_scan_new(
    const struct json_slot *slots, size_t count, size_t tensor_bytes_max, struct budget_share *memory) MUST_CHECK;

/* Frees it with its envelope and the tensors that were not taken. NULL is fine. */
void json_scan_free(struct json_scan *s);

/*
 * Feeds the next `len` bytes. Returns 0, or -1 with `e`: bad_json, bad_tensor (both with the offset from the document's
 * start), body_too_large (tensors), bad_json for an envelope, depth or number of keys beyond its limit, overloaded
 * (memory). After an error only json_scan_free may be called.
 */
int json_scan_feed(struct json_scan *s, const char *bytes, size_t len, struct err *e) MUST_CHECK;

/*
 * The document has ended: checks that it is whole, parses the envelope, and fits each tensor's nesting to its `shape`.
 * Errors as above. Without `shape` the nesting is the shape; with it, data is either flat, with as many values, or
 * nested exactly so (else bad_tensor).
 */
int json_scan_finish(struct json_scan *s, struct err *e) MUST_CHECK;

/* How large the envelope's text is so far: what json_scan_finish has to parse. */
size_t json_scan_envelope_bytes(const struct json_scan *s);

/*
 * After json_scan_finish: gives every tensor the datatype that the text names, or else its slot's, or, for a slot with
 * `by_layer`, the given one, which has a form in JSON. It takes time in proportion to the values. Errors: bad_tensor
 * for a value that does not fit, with its offset; body_too_large.
 */
int json_scan_settle(struct json_scan *s, enum datatype by_layer, struct err *e) MUST_CHECK;

/* After json_scan_finish: the root (an object or whatever stood there). It lives as long as the scanner. */
const struct cJSON *json_scan_envelope(const struct json_scan *s);

/*
 * After json_scan_settle: slot i's tensor, or NULL when the document had none in it. It lives as long as the scanner.
 */
struct tensor *json_scan_tensor(struct json_scan *s, size_t i);

#endif
