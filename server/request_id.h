/* SPDX-License-Identifier: MIT */
/* A name for each request, in its answer and its log line. */
#pragma once

#define REQUEST_ID_BYTES 129

/*
 * The client's id if it is valid (1 to 128 of A-Z a-z 0-9 . _ : / = + @ -), else a new one: 16 hex digits, unique in
 * this process. `offered` may be NULL. Any thread.
 */
void request_id_make(char out[REQUEST_ID_BYTES], const char *offered);
