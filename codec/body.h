/*
 * The body of a request as it arrives: its content coding is undone, and what comes out goes to the decoder of its form. Nothing is kept
 * but the tensors and the envelope.
 *
 * A body belongs to one thread at a time.
 */
#ifndef CODEC_BODY_H
#define CODEC_BODY_H

#include "base/digest.h"
#include "codec/coding.h"
#include "codec/json_scan.h"

/* How a body, or an answer, holds a tensor. */
enum form {
	FORM_JSON, /* json_scan.h, json_write.h */
	FORM_NPY,  /* npy.h: one tensor, no envelope */
	FORM_COUNT
};

/* Its media type, "application/json". */
const char *form_media_type(enum form form);

struct body;

/*
 * A body of this form and coding. JSON holds tensors where the slots say (json_scan.h); .npy is the tensor of the first slot, of
 * whatever datatype. The slots must outlive the body. It may have at most `bytes_max` bytes when its coding is undone, and
 * its tensors may take as many. Where there is a `digest`, the bytes without the coding go to it too; it must outlive the body. Returns NULL
 * when there is no memory.
 */
struct body *body_new(enum form form, enum coding coding, const struct json_slot *slots, size_t slot_count, size_t bytes_max,
    struct digest *digest) MUST_CHECK;

/* Frees it with its envelope and its tensors. NULL is fine. */
void body_free(struct body *b);

/*
 * Feeds the next `len` bytes as they were sent. Returns 0, or -1 with `e`: body_too_large, overloaded, the decoder's errors
 * (bad_json, bad_tensor, bad_npy), whose offsets count the bytes without the coding, and bad_json or bad_npy, by the form, for
 * a coding that is damaged. After an error only body_free may be called.
 */
int body_feed(struct body *b, const char *bytes, size_t len, struct err *e) MUST_CHECK;

/* The body has ended: checks that it is whole. Errors as above. */
int body_finish(struct body *b, struct err *e) MUST_CHECK;

/* The envelope, after body_finish; NULL for a form that has none. */
const struct cJSON *body_envelope(const struct body *b);

/* The tensor of a slot, or NULL when it has none; it belongs to the body, and may be written to. */
struct tensor *body_tensor(struct body *b, size_t slot);

#endif
