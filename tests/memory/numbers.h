/* SPDX-License-Identifier: MIT */
/*
 * Numbers of versions, which never come back, and times: no two trials have the same. Requests have "@" where the
 * number of the latest version belongs, and answers are compared with "#" in their places.
 */
#pragma once

#include "tests/memory/client.h"

/* The request with the number; its texts last until the next call. */
struct message numbers_fill(const struct message *m);

/* Remembers the number of a version that an answer says was made. */
void numbers_note(const struct answered *a);

/* Puts "#" in place of the numbers and times of an answer, and of a text of `len` bytes; its length then. */
void numbers_mask(struct answered *a);
size_t numbers_mask_text(char *text, size_t len);
