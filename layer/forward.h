/* SPDX-License-Identifier: MIT */
/*
 * From a definition and a tensor to the kernels' view of it, and the forward pass itself. Between codec's tensors and
 * norm's arrays. What looks at a whole tensor takes a crew that helps with large ones (layer/parts.h), or NULL.
 */
#ifndef LAYER_FORWARD_H
#define LAYER_FORWARD_H

#include "base/crew.h"
#include "codec/tensor.h"
#include "layer/definition.h"
#include "norm/view.h"

/* Scale and shift: as many values as definition_parameter_count, or NULL for ones and zeros. */
struct scale_shift {
	const double *weight;
	const double *bias;
};

/* What the kernels call a datatype. */
enum norm_real forward_real(enum datatype datatype);

/* The largest number of a datatype. */
double forward_largest(enum datatype datatype);

/* The definition's eps for a tensor of this datatype. */
double forward_eps(const struct definition *d, enum datatype datatype);

/*
 * Fits a tensor to a layer. Where weight and bias are a channel's, the view is (samples, channels, positions):
 * batch_norm takes 2 to 5 dimensions with its channels on its axis, instance_norm 3 to 5, group_norm 2 or more;
 * `features` is their number (0: any but 0). layer_norm and rms_norm take any shape that ends in their normalized
 * shape, and the view is (1, rows, size). shape_mismatch with what was expected.
 */
int forward_view(const struct definition *d, size_t features, const struct tensor *t, struct norm_view *view,
    struct err *e) MUST_CHECK;

/* Whether so many values a channel have a variance: too_few_values. */
int forward_check_count(size_t count, struct err *e) MUST_CHECK;

/*
 * The moments of a tensor that is not empty: `mean` and the biased `var`, view.feature doubles each. non_finite_input
 * where there is a NaN, an infinity or an overflow.
 */
int forward_moments(struct crew *crew, const struct tensor *t, struct norm_view view, double *mean, double *var,
    struct err *e) MUST_CHECK;

/* The same of each sample's channels: view.outer * view.feature doubles. */
int forward_instance_moments(struct crew *crew, const struct tensor *t, struct norm_view view, double *mean,
    double *var, struct err *e) MUST_CHECK;

/*
 * Normalizes in place by these statistics (batch_norm, instance_norm in inference), one per channel. `rstd` is scratch
 * for view.feature doubles. non_finite_input when a result does not fit the datatype; the tensor is then spoiled.
 */
int forward_by_statistics(struct crew *crew, const struct definition *d, struct tensor *t, struct norm_view view,
    const double *mean, const double *var, struct scale_shift p, double *rstd, struct err *e) MUST_CHECK;

/*
 * forward_check_count(), forward_moments() and forward_by_statistics() with those moments, in less time than one after
 * the other. What was refused leaves the tensor undefined.
 */
int forward_batch(struct crew *crew, const struct definition *d, struct tensor *t, struct norm_view view,
    struct scale_shift p, double *mean, double *var, double *rstd, struct err *e) MUST_CHECK;

/*
 * The same by numbers of each sample's channels, view.outer * view.feature of them; by numbers of each row,
 * view.feature.
 */
int forward_by_instances(struct crew *crew, const struct definition *d, struct tensor *t, struct norm_view view,
    const double *mean, const double *rstd, struct scale_shift p, struct err *e) MUST_CHECK;
int forward_by_rows(struct crew *crew, const struct definition *d, struct tensor *t, struct norm_view view,
    const double *mean, const double *rstd, struct scale_shift p, struct err *e) MUST_CHECK;

/*
 * What forward_by_statistics did (but for its clipping), undone: x = (y - bias) / weight * sqrt(var + eps) + mean.
 * `scratch` has 3 * view.feature doubles. bad_parameter where a weight is 0.
 */
int forward_inverse(struct crew *crew, const struct definition *d, struct tensor *t, struct norm_view view,
    const double *mean, const double *var, struct scale_shift p, double *scratch, struct err *e) MUST_CHECK;

/*
 * Whether forward_by_statistics with the batch's own moments, of `count` values in each of `features` channels, cannot
 * fail: then it may follow after the update was submitted. `limit` is forward_largest of the narrowest datatype.
 */
bool forward_surely_finite(
    const struct definition *d, size_t features, uint64_t count, double limit, const double *var, struct scale_shift p);

/*
 * PyTorch's checks of a tensor that is not empty, for every kind but batch_norm: an instance must have two values; of
 * groups it asks only that the whole batch has not one value each. too_few_values.
 */
int forward_check_values(const struct definition *d, struct norm_view view, struct err *e) MUST_CHECK;

/*
 * Normalizes a tensor that is not empty in place, each sample by its own statistics (every kind but batch_norm).
 * non_finite_input as above.
 */
int forward_by_sample(struct crew *crew, const struct definition *d, struct tensor *t, struct norm_view view,
    struct scale_shift p, struct err *e) MUST_CHECK;

/*
 * Where a tensor has its first value that is not finite: "channel 3", "channel 3 of a sample", "row 5 (...)". Returns
 * `out`.
 */
#define FORWARD_WHERE_BYTES 80
const char *
forward_where(const struct definition *d, const struct tensor *t, struct norm_view view, char out[FORWARD_WHERE_BYTES]);

/* Refuses a channel whose variance is 0 where eps is 0 as well: non_finite_input, which names it. */
int forward_check_variance(const struct definition *d, const double *var, size_t features, struct err *e) MUST_CHECK;

#endif
