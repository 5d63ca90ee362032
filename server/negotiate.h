/* SPDX-License-Identifier: MIT */
/* Media types and codings: what a body claims to be, and what a client accepts (RFC 9110, section 12.5). Pure. */
#pragma once

#include "base/compiler.h"
#include "codec/body.h"

/* Bytes of any kind. */
#define MEDIA_TYPE_BYTES "application/octet-stream"

/*
 * The form that a Content-Type names. JSON is application/json, anything with +json, no type at all (NULL), and the
 * defaults of curl -d (application/x-www-form-urlencoded) and of a browser's fetch (text/plain, whose charset must be
 * UTF-8 or US-ASCII). Other parameters are ignored. Returns -1 for an unknown type.
 */
int negotiate_form(const char *content_type, enum form *out) MUST_CHECK;

/*
 * Whether a body with this Content-Type (NULL: there is none) may be a safetensors file: by its types, by no type at
 * all, and by the default of curl --data-binary. Returns -1 for another.
 */
int negotiate_file(const char *content_type) MUST_CHECK;

/*
 * Whether a body with this Content-Type may be a call of the Open Inference Protocol: as for JSON, or
 * application/octet-stream, which some clients of the protocol send for both. Returns -1 for another.
 */
int negotiate_oip(const char *content_type) MUST_CHECK;

/* The coding that a Content-Encoding names; NULL: CODING_IDENTITY. Returns -1 for an unknown coding, or several. */
int negotiate_coding(const char *content_encoding, enum coding *out) MUST_CHECK;

/*
 * The form of the answer by an Accept header (NULL: there is none): of a set (form_carrying, which has FORM_JSON) the
 * one that it takes with the highest q; of several, `preferred` if it is among them, else the first. Returns -1 when it
 * takes none.
 */
int negotiate_answer_form(const char *accept, unsigned set, enum form preferred, enum form *out) MUST_CHECK;

/* Returns -1 when an Accept header (NULL: there is none) does not accept this media type, which is not a form's. */
int negotiate_answer_type(const char *accept, const char *media_type) MUST_CHECK;

/*
 * Whether a client prefers a page (text/html) to JSON, or likes both alike, by its Accept header. NULL: it likes all
 * alike.
 */
bool negotiate_prefers_page(const char *accept);

/*
 * The coding of the answer by an Accept-Encoding header (NULL: there is none): gzip or deflate, if it is preferred to
 * no coding or equal. *must: no coding is not acceptable. Returns -1 when nothing is acceptable.
 */
int negotiate_answer_coding(const char *accept_encoding, enum coding *out, bool *must) MUST_CHECK;
