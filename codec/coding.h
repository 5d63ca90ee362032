/* SPDX-License-Identifier: MIT */
/*
 * HTTP's content codings (RFC 9110, section 8.4.1) by zlib, both ways, block by block: gzip (RFC 1952; several members
 * are one body) and deflate, which is zlib's format (RFC 1950) and in requests also bare deflate data (RFC 1951), as
 * some clients send it. Memory is fixed, whatever the body's size.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum coding { CODING_IDENTITY, CODING_GZIP, CODING_DEFLATE, CODING_COUNT };

/* The memory of a decoder and of an encoder, with zlib's own. */
#define CODING_DECODER_BYTES ((size_t)64 << 10)
#define CODING_ENCODER_BYTES ((size_t)288 << 10)

/* "gzip" */
const char *coding_name(enum coding coding);

/* Finds the coding of this name, in any case; also "x-gzip", as RFC 9110 asks. -1: there is none. */
int coding_parse(const char *name, size_t len, enum coding *coding) MUST_CHECK;

/* Takes a decoded block. -1 ends the decoding. */
typedef int coding_sink(void *arg, const char *bytes, size_t len, struct err *e);

struct coding_decoder;

/* A decoder for `coding`, not CODING_IDENTITY, into `sink`. `damaged` is the error of bytes not encoded so. */
struct coding_decoder *
coding_decoder_new(enum coding coding, coding_sink *sink, void *arg, enum err_code damaged) MUST_CHECK;
void coding_decoder_free(struct coding_decoder *d);

/* About the most that a call of coding_decode makes: a body may decode to a thousand times its size. */
#define CODING_STRETCH_BYTES ((size_t)256 << 10)

/*
 * Decodes the next `len` bytes, until they have made about CODING_STRETCH_BYTES. *taken is how many bytes were decoded,
 * at least one where there are any; the caller feeds the others again. Errors: the sink's; `damaged`.
 */
int coding_decode(struct coding_decoder *d, const char *bytes, size_t len, size_t *taken, struct err *e) MUST_CHECK;

/* The body has ended: -1 with `damaged` when the coding has not. */
int coding_decoder_finish(const struct coding_decoder *d, struct err *e) MUST_CHECK;

/* Writes the next bytes to encode into out[0..room). Returns how many; 0: the end. */
typedef size_t coding_source(void *arg, char *out, size_t room);

struct coding_encoder;

/* An encoder for `coding`, which is not CODING_IDENTITY, of what `source` writes. */
struct coding_encoder *coding_encoder_new(enum coding coding, coding_source *source, void *arg) MUST_CHECK;
void coding_encoder_free(struct coding_encoder *c);

/* Writes the next encoded bytes into out[0..room), room >= 1. Returns how many; 0: the end. */
size_t coding_encode(struct coding_encoder *c, char *out, size_t room);
