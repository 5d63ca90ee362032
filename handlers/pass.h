/*
 * One pass over a tensor, whole or in parts by whoever of a crew is idle: what norm's function takes, of which a pass uses some, and into what
 * it may be cut. For handlers/parts.c and handlers/parts_backward.c.
 */
#ifndef HANDLERS_PASS_H
#define HANDLERS_PASS_H

#include <stdbool.h>

#include "base/crew.h"
#include "norm/backward.h"
#include "norm/cut.h"
#include "norm/view.h"

struct pass {
	bool (*part)(const struct pass *p, struct norm_part part);
	size_t count; /* of what `part` counts */
	size_t step;
	size_t elements; /* of the tensor */

	enum norm_real real;
	const void *x;
	void *y; /* x, where it is normalized */
	struct norm_view view;
	size_t groups;
	bool centered;
	double eps;
	double limit;
	const double *by_mean, *by_rstd; /* given */
	const double *weight, *bias;
	double *mean, *var, *rstd; /* measured */

	/* Of the backward pass, which writes to y. */
	size_t values;                   /* of each feature, as in norm/backward.h */
	double *grad_weight, *grad_bias; /* or the sums, as they come before */
	const struct backward_padding *padding;
	double *scratch;
};

/* Does all of it. Returns whether all that it wrote is finite. */
bool pass_run(struct crew *crew, const struct pass *p);

/* Whether, done in parts, it is not shared out evenly: there are too few of what it is cut at. */
bool pass_is_uneven(const struct crew *crew, const struct pass *p);

static inline size_t
view_elements(struct norm_view v)
{
	return v.outer * v.feature * v.inner;
}

/* Where row or element `i` of what is written lies. */
static inline void *
pass_element(const struct pass *p, size_t i)
{
	return (unsigned char *)p->y + i * norm_real_size(p->real);
}

#endif
