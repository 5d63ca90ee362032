/* SPDX-License-Identifier: MIT */
/*
 * A layer's definition: its kind and hyperparameters. It never changes. It is read from JSON by a table of fields, its
 * convention fills in the defaults, and it is written as canonical JSON, which is stored and shown.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "codec/envelope.h"
#include "codec/tensor.h"
#include "norm/pool.h"
#include "norm/update.h"

enum kind { KIND_BATCH_NORM, KIND_LAYER_NORM, KIND_INSTANCE_NORM, KIND_GROUP_NORM, KIND_RMS_NORM, KIND_COUNT };

/* The library whose defaults and meaning of momentum a definition uses. */
enum convention { CONVENTION_PYTORCH, CONVENTION_KERAS, CONVENTION_FLAX, CONVENTION_ONNX, CONVENTION_COUNT };

/* What train normalizes a batch by: its own moments, or the running statistics that its update has led to. */
enum normalize_by { NORMALIZE_BY_BATCH, NORMALIZE_BY_RUNNING, NORMALIZE_BY_COUNT };

struct definition {
	enum kind kind;
	enum convention convention;
	double eps;           /* >= 0 */
	bool eps_of_datatype; /* rms_norm: the datatype's machine epsilon instead */
	bool affine;          /* field affine or elementwise_affine: has a weight, and a bias if `bias` */
	bool bias;            /* as affine; a field of its own in layer_norm; never in rms_norm */
	double clip;          /* outputs are limited to -clip..clip; 0: no limit */

	enum datatype datatype; /* of JSON tensors that name none */

	/* batch_norm, instance_norm; group_norm calls it num_channels */
	size_t num_features; /* 0: left out; the first training batch sets it */

	/* batch_norm, instance_norm */
	bool track_running_stats; /* only where definition_may_track */
	enum averaging averaging;
	double momentum;  /* exponential: 0..1, in the convention's own meaning */
	double half_life; /* decayed: > 0, the number of values after which older ones weigh half */
	bool unbiased_running_var;

	/* batch_norm */
	int channel_axis;          /* negative counts from the end */
	size_t virtual_batch_size; /* samples in a ghost batch; 0: no ghost batches */
	bool shuffle;              /* samples are permuted before they are cut into ghost batches */
	bool renorm;               /* Batch Renormalization, with: */
	double r_max, d_max;       /* >= 1, >= 0 */
	enum normalize_by normalize_by;
	bool with_mean; /* false: running statistics divide alone, and nothing is subtracted */
	double min_std; /* a feature with a smaller running deviation is not divided by it; 0: none */

	/* group_norm */
	size_t num_groups; /* divides num_features */

	/* layer_norm, rms_norm */
	unsigned normalized_rank;
	size_t normalized_shape[TENSOR_RANK_MAX];
};

/*
 * Reads a definition from the members of `object`. Skips members named in `others` (NULL-terminated; NULL: none),
 * except a `bias` that is true or false. bad_parameter names the field that is missing, unknown, of the wrong type or
 * out of range.
 */
int definition_parse(
    const struct cJSON *object, const char *const *others, struct definition *out, struct err *e) MUST_CHECK;

/* Whether some kind has a field of this name. */
bool definition_is_field(const char *name);

/* Appends the resolved definition as a JSON object. `features` (0: null) replaces a num_features that was left out. */
void definition_format(struct buf *b, const struct definition *d, size_t features);

/* The same with "frozen" as its last member: how a layer is shown. definition_parse accepts and ignores that member. */
void definition_show(struct buf *b, const struct definition *d, size_t features, bool frozen);

/*
 * Appends in which fields `asked` differs from the layer's definition, the first few: `"eps" is 1e-5, not 0.1`; nothing
 * if it is the same. A num_features that was left out equals `features`, the number that the layer has by now (0: none
 * yet).
 */
void definition_differences(
    struct buf *out, const struct definition *stands, size_t features, const struct definition *asked);

/* Whether train normalizes by the running statistics that its own update has led to. */
bool definition_by_running(const struct definition *d);

/* Whether a batch of one value per channel can be merged into the running statistics: pooled and decayed averaging. */
bool definition_merges_one(const struct definition *d);

/* The names of the kind, "batch_norm", and of the averaging, "pooled". */
const char *definition_kind_name(const struct definition *d);
const char *definition_averaging_name(const struct definition *d);

/* The update of a layer's running statistics by a batch with these moments of `features` channels. */
struct update definition_update(const struct definition *d, size_t features, const struct moments *batch);

/* Whether a layer of this kind can keep running statistics. */
bool definition_may_track(const struct definition *d);

/* Whether weight and bias are one per position of a normalized shape (layer_norm, rms_norm), not one per channel. */
bool definition_is_shaped(const struct definition *d);

/* The number of values of weight and of bias: the normalized shape's product, or `features`. */
size_t definition_parameter_count(const struct definition *d, size_t features);
