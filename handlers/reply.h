/* SPDX-License-Identifier: MIT */
/* How handlers write answers, in the form that the client takes. From the thread that has the request. */
#pragma once

#include "handlers/request.h"

/*
 * Reserves memory for `count` numbers of the shortest form, so that a reply that cannot fit is refused before
 * half of it is written.
 */
void reply_expect_numbers(struct reply *reply, size_t count);

/* Sets ETag and Normd-Revision. */
void reply_revision(struct reply *reply, uint64_t revision);

/* Says which state was used: sets ETag, Normd-Revision and Normd-Version. */
void reply_state(struct reply *reply, const struct snapshot *state);

/* For how long the state was not compared with a database that is away: sets Age, unless that is 0. */
void reply_age(struct reply *reply, uint64_t age_us);

/*
 * Adds the values of a tensor, which must live as long as the reply, behind what was written to reply->text. With
 * `as_text` they are a JSON list, which is written as the client takes it; otherwise they are the tensor's own bytes,
 * little-endian. An answer with more than REPLY_FEW_PARTS tensors calls reply_expect_parts before, which may fail.
 */
void reply_part(struct reply *reply, const struct tensor *t, bool as_text);

/*
 * Appends those values to reply->text at once, as a JSON list: where the length of the text must be known. If something
 * is stored, the room is reserved before: json_tensor_bytes_max.
 */
void reply_tensor_text(struct reply *reply, const struct tensor *t);

/* Makes room for `count` tensors: before anything is stored, and before the first tensor. */
int reply_expect_parts(struct reply *reply, struct workspace *ws, size_t count, struct err *e) MUST_CHECK;

/*
 * Adds a tensor (NULL: null) in the reply's form: as the document itself (`name` NULL), or as a member. Counts may
 * follow, then reply_end. A form that has nothing beside tensors leaves the rest to the headers.
 */
void reply_tensor(struct reply *reply, const char *name, const struct tensor *t);
void reply_end(struct reply *reply);

/* Writes the members "num_batches_tracked" and "revision": after the members of a tensor, or as a new object. */
void reply_counts(struct reply *reply, uint64_t num_batches_tracked, uint64_t revision);

/* Writes the member "seed", after the counts. */
void reply_seed(struct reply *reply, uint64_t seed);
