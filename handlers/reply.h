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

/*
 * Begins an answer with a tensor, which must live as long: as the document itself (`name` NULL), or as its first
 * member. Further tensors (NULL: null) and counts may follow, then reply_end. A form that has nothing beside tensors
 * leaves the rest to the headers.
 */
void reply_tensor(struct reply *reply, const char *name, const struct tensor *t);
void reply_more(struct reply *reply, const char *name, const struct tensor *t);
void reply_end(struct reply *reply);

/* Writes the members "num_batches_tracked" and "revision": after the members of a tensor, or as a new object. */
void reply_counts(struct reply *reply, uint64_t num_batches_tracked, uint64_t revision);

/* Writes the member "seed", after the counts. */
void reply_seed(struct reply *reply, uint64_t seed);
