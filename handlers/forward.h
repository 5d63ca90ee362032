/*
 * From a definition and a tensor to the kernels' view of it, and the forward pass itself. Between codec's tensors and norm's arrays.
 */
#ifndef HANDLERS_FORWARD_H
#define HANDLERS_FORWARD_H

#include "codec/tensor.h"
#include "handlers/definition.h"
#include "norm/view.h"

/* Scale and shift: as many values as definition_parameter_count, or NULL for ones and zeros. */
struct scale_shift {
	const double *weight;
	const double *bias;
};

/* What the kernels call a datatype. */
enum norm_real forward_real(enum datatype datatype);

/*
 * Fits a tensor to a layer: batch_norm takes 2 to 5 dimensions with `features` channels (0: any number but 0) on its axis, layer_norm any
 * shape that ends in its normalized shape. shape_mismatch with what was expected.
 */
int forward_view(
    const struct definition *d, size_t features, const struct tensor *t, struct norm_view *view, struct err *e) MUST_CHECK;

/*
 * The moments of a training batch (batch_norm), for a tensor that is not empty: `mean` and the biased `var`, view.feature doubles
 * each. too_few_values where a channel has one value, non_finite_input where there is a NaN, an infinity or an overflow.
 */
int forward_moments(const struct tensor *t, struct norm_view view, double *mean, double *var, struct err *e) MUST_CHECK;

/*
 * Normalizes in place by these statistics (batch_norm). `rstd` is scratch for view.feature doubles. non_finite_input when a result does
 * not fit the datatype; the tensor is then spoiled.
 */
int forward_by_statistics(const struct definition *d, struct tensor *t, struct norm_view view, const double *mean,
    const double *var, struct scale_shift p, double *rstd, struct err *e) MUST_CHECK;

/* Whether forward_by_statistics with the batch's own moments cannot fail: then it may follow after the update was submitted. */
bool forward_surely_finite(
    const struct definition *d, const struct tensor *t, struct norm_view view, const double *var, struct scale_shift p);

/* Normalizes each sample in place (layer_norm). non_finite_input as above. */
int forward_by_sample(const struct definition *d, struct tensor *t, struct scale_shift p, struct err *e) MUST_CHECK;

#endif
