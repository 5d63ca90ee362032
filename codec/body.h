/* SPDX-License-Identifier: MIT */
/* Decodes a request's body as it arrives: its content coding, then its form. Keeps only tensors and the envelope. */
#pragma once

#include "base/budget.h"
#include "base/digest.h"
#include "codec/coding.h"
#include "codec/form.h"
#include "codec/json_scan.h"
#include "codec/oip.h"

struct body;

/* What is known before the body comes. All that it points to must outlive the body. */
struct body_options {
	enum form form;
	enum coding coding;
	const struct json_slot *slots; /* the tensors that a document may hold (json_scan.h) */
	size_t slot_count;
	size_t tensors;      /* how many a body without a document holds: the first slots', of any datatype */
	size_t bytes_max;    /* of the decoded body, and of its tensors */
	size_t header_bytes; /* of FORM_OIP: those of its document (oip.h); 0: all */

	/* Where the tensors' memory is counted; the caller gives it back. NULL: it is not counted. */
	struct budget_share *memory;
	struct digest *digest; /* gets the decoded bytes; or NULL */
};

struct body *body_new(const struct body_options *options) MUST_CHECK;

/* Also frees the envelope and the tensors. */
void body_free(struct body *b);

/*
 * Feeds the next `len` bytes as they were sent. *taken is how many were used, at least one: fewer than `len` if they
 * decode to many more (coding_decode); the caller feeds the others again. Errors: body_too_large, overloaded, and by
 * the form bad_json, bad_tensor, bad_parameter or bad_npy; offsets count decoded bytes. After an error only body_free
 * may be called.
 */
int body_feed(struct body *b, const char *bytes, size_t len, size_t *taken, struct err *e) MUST_CHECK;

/* How many decoded bytes have come so far. */
size_t body_bytes(const struct body *b);

/* How many of them are the envelope's, which body_finish has to parse. */
size_t body_envelope_bytes(const struct body *b);

/*
 * The body has ended: checks that it is complete. Errors: by the form bad_json or bad_npy; body_too_large, overloaded.
 */
int body_finish(struct body *b, struct err *e) MUST_CHECK;

/*
 * After body_finish and before body_tensor: JSON tensors without a datatype get `by_layer` if their slot leaves it to
 * the layer. Errors: bad_tensor for a value that overflows, with its offset; body_too_large. Takes time in proportion
 * to the values.
 */
int body_settle(struct body *b, enum datatype by_layer, struct err *e) MUST_CHECK;

/* After body_finish: the envelope, or NULL for a form that has none, and where there is no body (NULL). */
const struct cJSON *body_envelope(const struct body *b);

/* After body_settle: a slot's tensor, or NULL if it has none. It belongs to the body; the caller may write to it. */
struct tensor *body_tensor(struct body *b, size_t slot);
