/* SPDX-License-Identifier: MIT */
/*
 * HTTP's content codings (RFC 9110, section 8.4.1) by zlib, both ways, block by block: gzip (RFC 1952; members one
 * after another are one body) and deflate, which is zlib's format (RFC 1950) and, since some clients understand the
 * name so, bare deflate data (RFC 1951) on the way in. Fixed memory, whatever the body's size: about 40 KiB to decode,
 * 270 KiB to encode.
 *
 * A coder belongs to one thread at a time.
 */
#ifndef CODEC_CODING_H
#define CODEC_CODING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum coding { CODING_IDENTITY, CODING_GZIP, CODING_DEFLATE, CODING_COUNT };

/* What a coder takes, with zlib's own. */
#define CODING_DECODER_BYTES ((size_t)64 << 10)
#define CODING_ENCODER_BYTES ((size_t)288 << 10)

/* The name in a header, "gzip". */
const char *coding_name(enum coding coding);

/* Finds the coding of this name, in any case; also "x-gzip", as RFC 9110 asks. Returns -1 when there is none such. */
int coding_parse(const char *name, size_t len, enum coding *coding) MUST_CHECK;

/* Takes a block of what was decoded. -1 with `e` ends the decoding. */
typedef int coding_sink(void *arg, const char *bytes, size_t len, struct err *e);

struct coding_decoder;

/*
 * A decoder for `coding`, which is not CODING_IDENTITY. What it decodes goes to `sink`; `damaged` is the error code of
 * bytes that are not encoded so.
 */
struct coding_decoder *
coding_decoder_new(enum coding coding, coding_sink *sink, void *arg, enum err_code damaged) MUST_CHECK;
void coding_decoder_free(struct coding_decoder *d);

/* About how much a call of coding_decode decodes at most: a body may be a thousand times larger than what was sent. */
#define CODING_STRETCH_BYTES ((size_t)256 << 10)

/*
 * Decodes the next `len` bytes, until they have made about CODING_STRETCH_BYTES. *taken is how many bytes were decoded,
 * at least one where there are any; the caller feeds the others again. Errors: the sink's; `damaged`.
 */
int coding_decode(struct coding_decoder *d, const char *bytes, size_t len, size_t *taken, struct err *e) MUST_CHECK;

/* The body has ended: -1 with `damaged` when the coding has not. */
int coding_decoder_finish(const struct coding_decoder *d, struct err *e) MUST_CHECK;

/* Writes the next bytes of what is to be encoded into out[0..room); returns how many, 0 only at the end. */
typedef size_t coding_source(void *arg, char *out, size_t room);

struct coding_encoder;

/*
 * An encoder for `coding`, which is not CODING_IDENTITY, of what `source` gives. Returns NULL when there is no memory.
 */
struct coding_encoder *coding_encoder_new(enum coding coding, coding_source *source, void *arg) MUST_CHECK;
void coding_encoder_free(struct coding_encoder *c);

/* Writes the next encoded bytes into out[0..room), room >= 1; returns how many, 0 only at the end. */
size_t coding_encode(struct coding_encoder *c, char *out, size_t room);

#endif
