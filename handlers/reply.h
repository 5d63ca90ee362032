/* SPDX-License-Identifier: MIT */
/* What several handlers answer in the same form. */
#ifndef HANDLERS_REPLY_H
#define HANDLERS_REPLY_H

#include "handlers/request.h"

/*
 * The head will have so many numbers: asks for the memory of the shortest, so that a reply for which there is none is
 * refused before it is written, not after the first half.
 */
void reply_expect_numbers(struct reply *reply, size_t count);

/* Sets ETag and Normd-Revision. */
void reply_revision(struct reply *reply, uint64_t revision);

/*
 * A tensor, in the form that the client takes: its head; the values, which stay the tensor's; then the caller's further
 * members go to reply->tail. Ends by reply_end.
 */
void reply_tensor(struct request *rq, const struct tensor *t);
void reply_end(struct reply *reply);

/*
 * The same as the first member `name` of an object; then further members that are tensors, written in full (NULL:
 * null).
 */
void reply_named_tensor(struct request *rq, const char *name, const struct tensor *t);
void reply_more(struct request *rq, const char *name, const struct tensor *t);

/*
 * {"num_batches_tracked":n,"revision":r}, or these members after a tensor's. Begins the object where nothing was
 * written yet.
 */
void reply_counts(struct reply *reply, uint64_t num_batches_tracked, uint64_t revision);

/* The member "seed", after the counts. */
void reply_seed(struct reply *reply, uint64_t seed);

#endif
