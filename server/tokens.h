/* SPDX-License-Identifier: MIT */
/*
 * The tokens that clients may show (RFC 6750), as the text of a --tokens file lists them, one a line:
 *
 *     SHA256 ROLE MODELS    # a note
 *
 * SHA256 is the hash of the token's text, in hexadecimal digits. A token has 256 random bits, so its hash need not be
 * slow, and tells nobody the token. ROLE is infer, train or admin. MODELS is * or prefixes of models' names, separated
 * by commas. Comments and empty lines are ignored, and so are carriage returns at the ends of lines.
 *
 * Pure, but for the numbers of references. No error quotes what might be a token.
 */
#pragma once

#include <stdatomic.h>

#include "base/sha256.h"
#include "handlers/caller.h"
#include "server/rate.h"

#define TOKENS_FILE_MAX ((size_t)1 << 20)
#define TOKENS_LINE_MAX ((size_t)4096)

/* A token: shared by the tables that have it and by those who have seen it. Immutable, but for two numbers. */
struct token {
	struct caller caller;
	unsigned char digest[SHA256_BYTES]; /* of its text */
	unsigned line;                      /* where the file has it, from 1 */
	atomic_uint references;
	struct rate rate; /* of its requests */
	char memory[];    /* the caller's prefixes */
};

struct tokens {
	struct token **list; /* sorted by digest */
	size_t count;
};

/*
 * Reads a file's text of `len` bytes. `name` is the file's, for errors, which begin with NAME:LINE. NULL with `e`
 * (bad_parameter). A file without a token is refused unless it may be empty.
 */
struct tokens *
tokens_parse(const char *text, size_t len, const char *name, bool may_be_empty, struct err *e) MUST_CHECK;
void tokens_free(struct tokens *t);

/* The token with this digest, without a reference; NULL: there is none. */
struct token *tokens_find(const struct tokens *t, const unsigned char digest[SHA256_BYTES]);

/* Takes from `old` the tokens that both tables have with the same rights, so that they stay the same objects. */
void tokens_keep(struct tokens *t, const struct tokens *old);

struct token *token_ref(struct token *t);
void token_unref(struct token *t); /* NULL is fine */

/* The digest by which a token's text is known. */
void token_digest(const char *text, size_t len, unsigned char out[SHA256_BYTES]);

/* Reads the name of a role. Error: bad_parameter, with the nearest role. */
int token_parse_role(const char *text, size_t len, enum access *out, struct err *e) MUST_CHECK;

/* Checks "*", or prefixes with commas between them: bad_parameter. */
int token_check_models(const char *text, size_t len, struct err *e) MUST_CHECK;
