/* SPDX-License-Identifier: MIT */
/*
 * The backward pass written down plainly, for any kind: each element has a slice, with which it shares its mean and
 * variance, and a parameter, which is its weight and bias. In a type wide enough to be exact beside double.
 */
#pragma once

#include <stdbool.h>
#include <stdlib.h>

#include "tests/unit/norm_reference.h"
#include "tests/unit/unit.h"

struct reference {
	size_t size, slices, parameters;
	size_t *slice, *parameter; /* of each element */
	bool centered;             /* false: RMS */
	bool constant;             /* mean and rstd are given, and do not depend on x */
	double eps;

	WIDE *x, *g;
	WIDE *weight; /* of each parameter */

	/* Of each slice. */
	WIDE *mean, *rstd;
	size_t *count;

	/* The gradients, and beside each the sum of its terms' sizes, by which rounding is judged. */
	WIDE *grad_x, *grad_weight, *grad_bias;
	WIDE *size_x, *size_weight, *size_bias;
};

static inline void *
reference_array(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	ck_assert_ptr_nonnull(p);
	return p;
}

static inline struct reference
reference_new(size_t size, size_t slices, size_t parameters)
{
	struct reference r = {
		.size = size, .slices = slices, .parameters = parameters, .centered = true, .eps = 1e-5
	};
	WIDE **const by_element[] = { &r.x, &r.g, &r.grad_x, &r.size_x };
	WIDE **const by_parameter[] = { &r.weight, &r.grad_weight, &r.grad_bias, &r.size_weight, &r.size_bias };

	r.slice = reference_array(size, sizeof(*r.slice));
	r.parameter = reference_array(size, sizeof(*r.parameter));
	r.mean = reference_array(slices, sizeof(WIDE));
	r.rstd = reference_array(slices, sizeof(WIDE));
	r.count = reference_array(slices, sizeof(*r.count));
	for (size_t i = 0; i < sizeof(by_element) / sizeof(by_element[0]); i++)
		*by_element[i] = reference_array(size, sizeof(WIDE));
	for (size_t i = 0; i < sizeof(by_parameter) / sizeof(by_parameter[0]); i++)
		*by_parameter[i] = reference_array(parameters, sizeof(WIDE));
	for (size_t i = 0; i < parameters; i++)
		r.weight[i] = 1;
	return r;
}

static inline void
reference_free(struct reference *r)
{
	void *const arrays[] = { r->slice, r->parameter, r->x, r->g, r->weight, r->mean, r->rstd, r->count, r->grad_x,
		r->grad_weight, r->grad_bias, r->size_x, r->size_weight, r->size_bias };

	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		free(arrays[i]);
}

/* Equations 1 to 3 and 10: each slice's mean and rstd. */
static inline void
reference_moments_of_slices(struct reference *r)
{
	WIDE d;

	if (r->constant)
		return;
	for (size_t s = 0; s < r->slices; s++)
		r->count[s] = 0, r->mean[s] = r->rstd[s] = 0;
	for (size_t i = 0; i < r->size; i++)
		r->count[r->slice[i]]++, r->mean[r->slice[i]] += r->x[i];
	for (size_t s = 0; s < r->slices; s++)
		r->mean[s] = r->centered ? r->mean[s] / r->count[s] : 0;
	for (size_t i = 0; i < r->size; i++)
		d = r->x[i] - r->mean[r->slice[i]], r->rstd[r->slice[i]] += d * d;
	for (size_t s = 0; s < r->slices; s++)
		r->rstd[s] = 1 / wide_sqrt(r->rstd[s] / r->count[s] + r->eps);
}

/* What the backward pass differentiates: the sum of g y, with a bias of 0. */
static inline WIDE
reference_loss(struct reference *r)
{
	WIDE loss = 0;

	reference_moments_of_slices(r);
	for (size_t i = 0; i < r->size; i++)
		loss += r->g[i] * (r->x[i] - r->mean[r->slice[i]]) * r->rstd[r->slice[i]] * r->weight[r->parameter[i]];
	return loss;
}

/* Equations 20 to 23, as they stand. */
static inline void
reference_backward(struct reference *r)
{
	WIDE *sum = reference_array(r->slices, sizeof(WIDE)), *product = reference_array(r->slices, sizeof(WIDE));
	WIDE *sum_size = reference_array(r->slices, sizeof(WIDE)),
	     *product_size = reference_array(r->slices, sizeof(WIDE));
	WIDE h, hat, rstd, off;

	reference_moments_of_slices(r);
	for (size_t i = 0; i < r->size; i++) {
		const size_t s = r->slice[i], p = r->parameter[i];

		h = r->g[i] * r->weight[p];
		hat = (r->x[i] - r->mean[s]) * r->rstd[s];
		off = wide_abs(hat) + wide_abs(r->mean[s] * r->rstd[s]); /* x - mean loses the mean's last digits */
		r->grad_weight[p] += r->g[i] * hat;
		r->grad_bias[p] += r->g[i];
		r->size_weight[p] += wide_abs(r->g[i]) * off;
		r->size_bias[p] += wide_abs(r->g[i]);
		sum[s] += r->centered ? h : 0;
		product[s] += h * hat;
		sum_size[s] += wide_abs(h);
		product_size[s] += wide_abs(h) * off;
	}
	for (size_t i = 0; i < r->size; i++) {
		const size_t s = r->slice[i];

		h = r->g[i] * r->weight[r->parameter[i]];
		rstd = r->rstd[s];
		hat = (r->x[i] - r->mean[s]) * rstd;
		off = wide_abs(hat) + wide_abs(r->mean[s] * rstd);
		r->grad_x[i] = rstd * h;
		r->size_x[i] = rstd * wide_abs(h);
		if (r->constant)
			continue;
		r->grad_x[i] -= rstd * (sum[s] + hat * product[s]) / r->count[s];
		r->size_x[i] += rstd * (sum_size[s] + off * product_size[s]) / r->count[s];
	}
	free(sum);
	free(product);
	free(sum_size);
	free(product_size);
}
