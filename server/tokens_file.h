/* SPDX-License-Identifier: MIT */
/* The file of tokens (tokens.h) on disk. Blocks for as long as the disk takes; for main's thread. */
#pragma once

#include "server/tokens.h"

/*
 * Reads a file. Refuses one that others than its owner can write, or that is not a regular file, larger than
 * TOKENS_FILE_MAX, malformed, or without a token. Its owner is not looked at: a secret that is mounted into a container
 * keeps the host's. NULL with `e`.
 */
struct tokens *tokens_file_read(const char *path, struct err *e) MUST_CHECK;

/*
 * Adds a line, with its newline, to the file, which is made with mode 0600 if it does not exist. When this returns 0
 * the line is on disk and `then` has returned 0; if `then` fails the file is as it was, and this fails too. Others that
 * add lines meanwhile wait. Refuses what tokens_file_read refuses, but for a file without a token.
 */
int tokens_file_append(
    const char *path, const char *line, int (*then)(void *arg, struct err *e), void *arg, struct err *e) MUST_CHECK;

/* A new token: "normd_" and 256 random bits in the alphabet of base64url (RFC 4648, section 5), and a NUL. */
#define TOKEN_TEXT_BYTES 50
int token_make(char out[TOKEN_TEXT_BYTES], struct err *e) MUST_CHECK;
