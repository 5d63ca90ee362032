/* SPDX-License-Identifier: MIT */
/*
 * The JSON decoder: an incremental, strict RFC 8259 scanner. It takes the bytes in any pieces, as they arrive. Lists of
 * numbers where the caller expects tensors become tensors at once, 1, 2, 4 or 8 bytes a value; the rest is the envelope
 * (envelope.h), of at most JSON_ENVELOPE_MAX bytes.
 *
 * Slots say where tensors are. The slot with key "" takes the root's member `data`, whose `shape` and `datatype` are
 * members of the root too; or the root itself, if that is a list. A slot with another key takes that member of the root
 * if it is a list, or, if it is an object, the object's `data`, with its `shape` and `datatype`; such an object must
 * have `data`. A list in a slot's place must hold numbers, lists of numbers, or nothing, or it is `bad_tensor`. Any
 * other value of a slot's key belongs to the envelope.
 *
 * Members come in any order. Data before its datatype is kept as doubles, with what those do not tell of the text
 * (json_doubts.h), until json_scan_settle.
 */
#pragma once

#include "base/budget.h"
#include "base/err.h"
#include "codec/envelope.h"
#include "codec/tensor.h"

#define JSON_DEPTH_MAX 100
#define JSON_ENVELOPE_MAX ((size_t)256 * 1024)
#define JSON_KEYS_MAX 4096 /* members of all objects together */
#define JSON_SLOTS_MAX 8

/* The same limits for documents that list their tensors: 1,000 inputs and outputs with long names fit. */
#define JSON_LISTED_ENVELOPE_MAX ((size_t)1024 * 1024)
#define JSON_LISTED_KEYS_MAX 65536
#define JSON_LISTED_OBJECT_KEYS_MAX 512 /* so that keys which were made to collide in json_keys.c cost little */

struct json_slot {
	const char *key;
	enum datatype datatype; /* if the text names none; BOOL takes true, false, 1 and 0, and cannot be named */
	bool by_layer;          /* if the text names none, json_scan_settle says which */
	bool non_finite;        /* NaN, Infinity and -Infinity are values, as Python writes them */
};

struct json_scan;

/*
 * A scanner for one document with these slots (`count` <= JSON_SLOTS_MAX), which must outlive the scanner. The tensors
 * may take at most `tensor_bytes_max` bytes together; their memory is counted in `memory` (NULL: it is not), and the
 * caller gives it back when the scanner is freed.
 */
struct json_scan *json_scan_new(
    const struct json_slot *slots, size_t count, size_t tensor_bytes_max, struct budget_share *memory) MUST_CHECK;

/*
 * A scanner for a document whose root lists its tensors in the member `list`, as the Open Inference Protocol does. Each
 * element is an object that has `name`, a string, `shape` and `datatype`, and may have `data` like a slot's object;
 * without `data` its values are elsewhere. NaN, Infinity and -Infinity are values of `data`. An element that does not
 * fit, or a `list` that is not a list, is bad_tensor. `list` must outlive the scanner.
 */
struct json_scan *
json_scan_new_listed(const char *list, size_t tensor_bytes_max, struct budget_share *memory) MUST_CHECK;

/* Also frees the envelope and the tensors. */
void json_scan_free(struct json_scan *s);

/*
 * Feeds the next `len` bytes. Errors: bad_json, also for an envelope, a depth or a number of keys beyond its limit;
 * bad_tensor; bad_parameter (a mask's number that is neither 1 nor 0), all with the offset in the document;
 * body_too_large (the tensors); overloaded. After an error only json_scan_free may be called.
 */
int json_scan_feed(struct json_scan *s, const char *bytes, size_t len, struct err *e) MUST_CHECK;

/*
 * The document has ended: checks that it is complete, and parses the envelope. Errors: bad_json, with the offset in
 * the document; body_too_large and overloaded (memory for the envelope). Each tensor has its `shape`, whose data was
 * flat with as many values or nested exactly so; without one, the shape of its nesting.
 */
int json_scan_finish(struct json_scan *s, struct err *e) MUST_CHECK;

/* The bytes of the envelope so far, which json_scan_finish has to parse. */
size_t json_scan_envelope_bytes(const struct json_scan *s);

/*
 * After json_scan_finish: gives every tensor the datatype that the text names, else its slot's, or, for a slot with
 * by_layer, the argument `by_layer`, a datatype that JSON may name. Takes time in proportion to the values. Errors:
 * bad_tensor for a value that overflows, with its offset; body_too_large.
 */
int json_scan_settle(struct json_scan *s, enum datatype by_layer, struct err *e) MUST_CHECK;

/* After json_scan_finish: the root, of any type. It lives as long as the scanner. */
const struct cJSON *json_scan_envelope(const struct json_scan *s);

/* After json_scan_settle: the tensor of slot `i`, or NULL: it has none. It lives as long as the scanner. */
struct tensor *json_scan_tensor(struct json_scan *s, size_t i);

/*
 * After json_scan_finish: how many tensors are listed, and the i-th with its datatype and shape. Its values are there
 * after json_scan_settle. Where it has no data, they are NULL, and the caller may set them: the scanner frees them.
 */
size_t json_scan_listed_count(const struct json_scan *s);
struct tensor *json_scan_listed(struct json_scan *s, size_t i, bool *has_data);
