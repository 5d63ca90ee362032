/* SPDX-License-Identifier: MIT */
/* The backward passes by features. */
#include "norm/feature_bands.h"
#include "norm/kernels/backward_terms.h"
#include "norm/kernels/kernels.h"

KERNELS_PART(sums_part, sums)
KERNELS_PART(terms_part, terms_backward)
KERNELS_PART(batch_part, batch_backward)
KERNELS_PART(clip_part, clip_backward)

const struct norm_op norm_sums = { .part = sums_part, .cut = cut_features, .in_bands = &feature_bands_sums };
const struct norm_op norm_clip_backward = { .part = clip_part, .cut = cut_elements };

static size_t
terms_scratch(struct norm_view view)
{
	return FEATURE_TERMS_SCRATCH(view.feature);
}

/* Sets the terms of all features in the scratch memory. */
static void
terms_of(const struct norm_pass *p, const double *sum, const double *product)
{
	const struct feature_terms t = feature_terms_in(p);

	for (size_t f = 0; f < p->view.feature; f++)
		(void)feature_terms_set(&t, f, p, sum[f], product[f]);
}

static void
shard_begin(const struct norm_pass *p)
{
	terms_of(p, p->sum, p->product);
}

const struct norm_op norm_shard_backward = {
	.part = terms_part,
	.cut = cut_outer,
	.begin = shard_begin,
	.scratch = terms_scratch,
};

static const struct norm_op by_terms = { .part = terms_part, .cut = cut_outer, .scratch = terms_scratch };

/* After norm_sums. */
static void
batch_second(struct norm_pass *p)
{
	terms_of(p, p->grad_bias, p->grad_weight);
	for (size_t f = 0; f < p->view.feature; f++)
		p->grad_weight[f] *= p->by.rstd[f];
	p->op = &by_terms;
}

const struct norm_op norm_batch_backward = {
	.part = batch_part,
	.cut = cut_features,
	.scratch = terms_scratch,
	.first = &norm_sums,
	.second = batch_second,
};
