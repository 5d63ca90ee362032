/* SPDX-License-Identifier: MIT */
/*
 * The body of a request as it arrives: its content coding is undone, and what comes out goes to the decoder of its
 * form. Nothing is kept but the tensors and the envelope.
 *
 * A body belongs to one thread at a time.
 */
#ifndef CODEC_BODY_H
#define CODEC_BODY_H

#include "base/budget.h"
#include "base/digest.h"
#include "codec/coding.h"
#include "codec/form.h"
#include "codec/json_scan.h"

struct body;

/* What is known of a body before it comes. What is pointed to must outlive the body. */
struct body_options {
	enum form form;
	enum coding coding;
	const struct json_slot *slots; /* the tensors that a document may hold (json_scan.h) */
	size_t slot_count;
	size_t tensors;   /* how many a body without a document holds, for the first slots, of whatever datatype */
	size_t bytes_max; /* of the body when its coding is undone, and of its tensors */

	/* Where the tensors' memory is asked for; the caller gives it back. NULL: it is not counted. */
	struct budget_share *memory;
	struct digest *digest; /* the bytes without the coding go there too; or NULL */
};

/* Returns NULL when there is no memory. */
struct body *body_new(const struct body_options *options) MUST_CHECK;

/* Frees it with its envelope and its tensors. NULL is fine. */
void body_free(struct body *b);

/*
 * Feeds the next `len` bytes as they were sent. *taken is how many were: fewer than `len`, but at least one, when they
 * come to much more without their coding (coding_decode); the others are to be fed again. Returns 0, or -1 with `e`:
 * body_too_large, overloaded, the decoder's errors (bad_json, bad_tensor, bad_npy), whose offsets count the bytes
 * without the coding, and bad_json or bad_npy, by the form, for a coding that is damaged. After an error only body_free
 * may be called.
 */
int body_feed(struct body *b, const char *bytes, size_t len, size_t *taken, struct err *e) MUST_CHECK;

/* How many bytes have come so far, without their coding. */
size_t body_bytes(const struct body *b);

/* How many of them are not a tensor's, so that body_finish has to parse them. */
size_t body_envelope_bytes(const struct body *b);

/* The body has ended: checks that it is whole. Errors as above. */
int body_finish(struct body *b, struct err *e) MUST_CHECK;

/*
 * After body_finish, and before a tensor is looked at: JSON tensors whose datatype the body does not name get
 * `by_layer` where their slot leaves it to the layer. Errors as of json_scan_settle. It takes time in proportion to the
 * values.
 */
int body_settle(struct body *b, enum datatype by_layer, struct err *e) MUST_CHECK;

/* The envelope, after body_finish; NULL for a form that has none. */
const struct cJSON *body_envelope(const struct body *b);

/* After body_settle: the tensor of a slot, or NULL when it has none; it belongs to the body, and may be written to. */
struct tensor *body_tensor(struct body *b, size_t slot);

#endif
