/* SPDX-License-Identifier: MIT */
/* The digests of committed states, and the option by which a request refuses every state but the one that it names. */
#pragma once

#include "handlers/input.h"

/* The digest of a layer's state. It is computed once for a snapshot: by the thread, or the few, that ask first. */
void state_digest(const struct snapshot *s, unsigned char out[SHA256_BYTES]);

/* Writes the member "digest", between other members: ,"digest":"sha256:..." */
void state_digest_show(struct buf *b, const struct snapshot *s);

/* The member "digest" of what a GET shows. Its PUT ignores it, because the digest follows from the rest. */
extern const struct input digest_shown_input;

/*
 * Refuses a request whose query has an `expect` that is not the digest of this state, by which the request is going to
 * compute, nor that of the version that it is of: state_mismatch, with `expect` and the digest of the state.
 * bad_parameter where it is not a digest.
 */
extern const struct input expect_input;
int state_expect(const struct request *rq, const struct snapshot *s, struct err *e) MUST_CHECK;
