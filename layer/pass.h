/* SPDX-License-Identifier: MIT */
/*
 * One pass over a tensor, whole or in parts by whoever of a crew is idle: what norm's function takes, of which a pass
 * uses some, and into what it may be cut. One of three functions makes it, by where it may be cut; then it gets what is
 * its own. For layer/parts.c and layer/parts_backward.c.
 */
#ifndef LAYER_PASS_H
#define LAYER_PASS_H

#include <stdbool.h>

#include "base/crew.h"
#include "norm/backward.h"
#include "norm/cut.h"
#include "norm/padding.h"
#include "norm/view.h"

struct pass;

/* Does a part of a pass. Returns whether all that it wrote is finite. */
typedef bool pass_part(const struct pass *p, struct norm_part part);

struct pass {
	pass_part *part;
	size_t count; /* of what `part` counts */
	size_t step;

	enum norm_real real;
	const void *x;
	void *y; /* x, where it is normalized; NULL, where it is only measured; or what it is packed to */
	struct norm_view view;

	/* Of the rest a pass has what its `part` reads. */
	size_t groups;
	const struct padding *padding;
	size_t values; /* of each feature */
	bool centered;
	double eps;
	double limit;
	const double *by_mean, *by_rstd; /* given */
	const double *weight, *bias;
	double *mean, *var, *rstd; /* measured */

	/* Of the backward pass, which writes to y. */
	double *grad_weight, *grad_bias; /* or the sums, as they come before */
	double *scratch;
};

/*
 * A pass over the tensor x, or over x and y, that may be cut between features, but for those whose sums are taken
 * together.
 */
struct pass pass_cut_features(pass_part *part, enum norm_real real, const void *x, void *y, struct norm_view view);

/* The same, between any two elements, but for those that lie in one line of the cache. */
struct pass pass_cut_elements(pass_part *part, enum norm_real real, const void *x, void *y, struct norm_view view);

/* The same, between any two of `count` things, such as rows. */
struct pass
pass_cut_each(pass_part *part, size_t count, enum norm_real real, const void *x, void *y, struct norm_view view);

/* Does all of it. Returns whether all that it wrote is finite. */
bool pass_run(struct crew *crew, const struct pass *p);

/* Whether, done in parts, it is not shared out evenly: there are too few of what it is cut at. */
bool pass_is_uneven(const struct crew *crew, const struct pass *p);

/* `rows` rows of `size` elements. */
static inline struct norm_view
rows_view(size_t rows, size_t size)
{
	return (struct norm_view){ 1, rows, size };
}

/* Where row or element `i` of what is written lies. */
static inline void *
pass_element(const struct pass *p, size_t i)
{
	return (unsigned char *)p->y + i * norm_real_size(p->real);
}

#endif
