/* SPDX-License-Identifier: MIT */
/*
 * A call: one layer, in one state, applied to one tensor. It knows neither requests nor the store: it changes nothing
 * but its tensors, takes memory from its workspace alone, and what training comes to is a list of updates for the
 * caller to apply.
 *
 * Zero a call, fill in the layer and the tensor, and call call_fit. Then fill in the options and call one of the
 * functions below; after a failure the tensors are undefined. Everything that a call points to must outlive it. A call
 * belongs to one thread at a time.
 */
#pragma once

#include "base/workspace.h"
#include "codec/tensor.h"
#include "layer/definition.h"
#include "layer/pieces.h"
#include "norm/pool.h"
#include "norm/update.h"
#include "norm/view.h"

/* As many values as definition_parameter_count, or NULL for ones and zeros. */
struct scale_shift {
	const double *weight;
	const double *bias;
};

struct channels;

struct call {
	/* The layer and its state. */
	const char *name; /* for messages; NULL where the layer cannot lack statistics */
	bool frozen;      /* for messages: it gets no statistics before it is thawed */
	uint64_t version; /* for messages: whose state it is; 0: the live one */
	const struct definition *definition;
	struct statistics statistics; /* features 0: not fixed yet; mean NULL: never trained */
	struct scale_shift parameters;

	/* The tensor. */
	struct workspace *workspace;
	struct tensor *tensor; /* normalized in place; backward only reads it, but for its order */
	struct norm_view view; /* call_fit's */
	struct mask mask;      /* which positions are padding */

	/* Options. */
	bool output;             /* train: the tensor is wanted, not only the updates */
	bool train;              /* backward: through the moments of the tensor; false: by the running statistics */
	uint64_t seed;           /* train, backward: of the shuffle, where the definition shuffles */
	struct tensor *gradient; /* backward: by the output, like `tensor`; becomes that by the input, in place */
	bool non_finite_ok;      /* infer: NaN and infinity are values, in the tensor and in its results */
	bool observe;            /* infer: measure the tensor where the layer tracks statistics */

	/* Results. */
	struct update *updates; /* train: to be applied in order, as one change */
	size_t update_count;    /* 0: nothing changes */
	bool pending;           /* train: call_train_output will make the output */
	bool needs_state;       /* train: before that, call_train_take_state needs the state that the updates lead to */
	struct moments observed; /* infer: what the tensor held, to be pooled (update.h); count 0: nothing */
	double *grad_weight;     /* backward: definition_parameter_count values each */
	double *grad_bias;

	/* For layer/ alone. */
	struct pieces pieces;
	void *values, *gradients; /* those of the tensors, as the pieces have them */
	double *scratch;
	double *state;          /* room for what training by running statistics normalizes by */
	struct moments running; /* of that, once it was taken */
	struct piece extremes;  /* extremes.h's, of large tensors that might not fit; else empty */
	double limit;           /* the largest number that the output can hold */
	struct channels *channels;
};

/*
 * Fits the tensor to the layer, and sets the view; else shape_mismatch, with the shape that was expected. Where weight
 * and bias are a channel's, the view is (samples, channels, positions); of layer_norm and rms_norm it is (1, rows,
 * size).
 */
int call_fit(struct call *c, struct err *e) MUST_CHECK;

/* Normalizes by the running statistics where the layer tracks them (not_trained), else by the tensor's own. */
int call_infer(struct call *c, struct err *e) MUST_CHECK;

/* What call_infer needs of a layer that tracks and of its input, for who wants no output: fails without statistics, and
 * where the tensor holds a NaN or an infinity. */
int call_examine(struct call *c, struct err *e) MUST_CHECK;

/*
 * Undoes call_infer (but for clipping): x = (y - bias) / weight * sqrt(var + eps) + mean. bad_parameter where a weight
 * is 0, and for a layer that does not track.
 */
int call_invert(struct call *c, struct err *e) MUST_CHECK;

/*
 * Inference by running statistics as y = x * scale + shift (docs/MATH.md, equation 9), statistics.features values each,
 * in the workspace. Needs no tensor. not_trained; non_finite_input where a value is not finite.
 */
int call_fold(const struct call *c, double **scale, double **shift, struct err *e) MUST_CHECK;

/*
 * As call_train would by the first batch of a new layer: by the tensor's own statistics, in ghost batches where the
 * definition has them, or by the running statistics that they lead to.
 */
int call_normalize(struct call *c, struct err *e) MUST_CHECK;

/*
 * Measures the tensor and makes the updates. Unless `pending`, the tensor is normalized if `output`. A pending output
 * cannot fail by its values: the updates may be stored before call_train_output makes it.
 */
int call_train(struct call *c, struct err *e) MUST_CHECK;
int call_train_output(struct call *c, struct err *e) MUST_CHECK;

/*
 * Where the definition normalizes by the running statistics, the output is by the state that the updates lead to. Call
 * this with that state while the updates can still be refused; -1 with non_finite_input: they must be, because a result
 * would not be finite. Copies what it needs and allocates nothing. It may make the output, and then nothing is
 * `pending` any more.
 */
int call_train_take_state(
    struct call *c, const struct statistics *after, struct scale_shift parameters, struct err *e) MUST_CHECK;

/* The gradients by input, weight and bias. */
int call_backward(struct call *c, struct err *e) MUST_CHECK;

/* Measures the call's shard of a batch (norm/pool.h), whose arrays are the call's. Without ghost batches. */
int call_train_shard(struct call *c, struct shard *own, struct err *e) MUST_CHECK;
int call_backward_shard(struct call *c, struct shard *own, struct err *e) MUST_CHECK;

/*
 * Makes the update by the whole batch, for one of its calls. Fails if call_train_shard_output might fail for any of
 * them. `state`: CALL_STATE_LISTS * features doubles (mean and variance as they normalize, weight, bias). If the call
 * `needs_state`, call_train_take_state fills it with the state that all of them normalize by, or fails in the same way.
 */
#define CALL_STATE_LISTS 4
int call_train_whole(struct call *c, const struct shard *whole, double *state, struct err *e) MUST_CHECK;

/*
 * The output, or the gradients, of the call's shard. The gradients by weight and bias are the shard's part: those of
 * the whole batch are the sums over all shards, as with PyTorch's SyncBatchNorm.
 */
int call_train_shard_output(struct call *c, const struct shard *whole, const double *state, struct err *e) MUST_CHECK;
int call_backward_shard_output(struct call *c, const struct shard *whole, struct err *e) MUST_CHECK;
