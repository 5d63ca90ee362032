/* SPDX-License-Identifier: MIT */
/*
 * One call of train between its steps. Private to train.c, train_batch_norm.c, train_instance_norm.c and train_sync.c.
 */
#ifndef HANDLERS_TRAINING_H
#define HANDLERS_TRAINING_H

#include "handlers/request.h"
#include "layer/pieces.h"

struct training {
	struct tensor *tensor;
	struct norm_view view;
	struct scale_shift parameters;
	struct mask mask;
	bool output;     /* the caller wants the tensor back */
	bool normalized; /* it is there */
	struct err err;  /* what went wrong meanwhile; never for a batch that is surely finite */
	uint64_t seed;   /* of the shuffle */

	/* Of every piece: its update, its moments. */
	struct pieces pieces;
	struct tensor values; /* as the pieces have them */
	struct update *updates;
	double *mean, *var; /* pieces.count * view.feature doubles each */

	double *rstd;          /* scratch for view.feature doubles */
	double *weight, *bias; /* scratch for what renormalization makes of the parameters; NULL without it */
};

/* An update of this layer by moments of `count` values each. */
struct update
training_update(const struct request *rq, size_t features, size_t count, const double *mean, const double *var);

/* Asks the store for the `count` updates, in order, as one change. */
void training_submit(struct request *rq, const struct update *updates, size_t count);

/*
 * Batch normalization: measures, and normalizes at once where that might fail; else train_batch_norm_output does it
 * later.
 */
int train_batch_norm(struct request *rq, struct training *t, struct err *e) MUST_CHECK;
int train_batch_norm_output(struct request *rq, struct training *t, struct err *e) MUST_CHECK;

/* Instance normalization that tracks (train_instance_norm.c). */
int train_instance_norm(struct request *rq, struct training *t, struct err *e) MUST_CHECK;

/*
 * A shard of a synchronized step (train_sync.c): measured, for rq->member; then, for the leader, the update by the
 * whole batch; then the shard normalized by that.
 */
int train_shard(struct request *rq, struct training *t, struct err *e) MUST_CHECK;
int train_lead(struct request *rq, struct training *t, struct err *e) MUST_CHECK;
int train_shard_output(struct request *rq, struct training *t, struct err *e) MUST_CHECK;

#endif
