/* SPDX-License-Identifier: MIT */
/* What the values of a safetensors header mean, and the rules for them. Private to codec/. */
#pragma once

#include "codec/safetensors_header.h"

/*
 * A key in the object `in` has ended; its text is the end of h->texts, from h->token_text on. Sets h->role, and removes
 * the text if it is not needed. Error: bad_safetensors for a member that is given twice.
 */
int header_key(struct safetensors_header *h, enum header_role in, struct err *e) MUST_CHECK;

/* A string with h->role has ended, in the same way. Error: bad_safetensors for an unknown dtype. */
int header_string(struct safetensors_header *h, struct err *e) MUST_CHECK;

/* A whole number with h->role, h->whole, has ended. Error: bad_safetensors for a third offset. */
int header_number(struct safetensors_header *h, struct err *e) MUST_CHECK;

/* The list or object `role` has ended. Error: bad_safetensors: what is missing, or does not fit together. */
int header_close(struct safetensors_header *h, enum header_role role, struct err *e) MUST_CHECK;
