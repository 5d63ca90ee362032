/* SPDX-License-Identifier: MIT */
/* The forward passes. */
#include "norm/normalize.h"

#include "norm/finite.h"
#include "norm/kernels/kernels.h"
#include "norm/pass.h"

void
normalize_rstd(const double *var, double eps, size_t features, double *rstd)
{
	kernels_best()->rstd(var, eps, features, rstd);
}

/* From the end, because the numbers are spread in place. */
void
normalize_spread(double *value, size_t each, size_t channels)
{
	for (size_t c = channels; c-- > 0;)
		value[c] = value[c / each];
}

/* ---- by features */

KERNELS_PART(batch_part, batch)

/* After norm_moments. */
static void
batch_second(struct norm_pass *p)
{
	normalize_rstd(p->var, p->eps, p->view.feature, p->rstd);
	p->op = &norm_by_feature;
	p->by.mean = p->mean;
	p->by.rstd = p->rstd;
}

const struct norm_op norm_batch = {
	.part = batch_part,
	.cut = cut_features,
	.first = &norm_moments,
	.second = batch_second,
};

/* Consecutive elements of a tensor that form a view themselves. */
struct stretch {
	struct norm_view view;
	size_t run;     /* the first run, counted over the whole tensor */
	size_t feature; /* its feature */
};

/* The longest stretch at the start of the part: the rest of a run, whole runs of one sample, or whole samples. */
static struct stretch
stretch_first(struct norm_view v, struct norm_part elements)
{
	const size_t left = elements.end - elements.first, into_run = elements.first % v.inner;
	struct stretch s = { { 1, 1, 1 }, elements.first / v.inner, elements.first / v.inner % v.feature };

	if (into_run > 0 || left < v.inner) {
		s.view.inner = columns_min(v.inner - into_run, left);
		return s;
	}
	s.view.inner = v.inner;
	if (s.feature > 0 || left / v.inner < v.feature) {
		s.view.feature = columns_min(v.feature - s.feature, left / v.inner);
		return s;
	}
	s.view.feature = v.feature;
	s.view.outer = left / v.inner / v.feature;
	return s;
}

/* A parameter of feature `feature` and of those after it; NULL stays NULL. */
static const double *
from(const double *parameter, size_t feature)
{
	return parameter != NULL ? parameter + feature : NULL;
}

/* With numbers for each sample, a stretch ends with its sample, after which weight and bias start again. */
static bool
by_stretches(const struct norm_pass *p, struct norm_part elements, bool by_sample)
{
	const size_t sample = p->view.feature * p->view.inner;
	struct norm_pass part = *p;
	bool finite = true;
	struct stretch s;

	for (size_t at = elements.first; at < elements.end; at += norm_view_elements(s.view)) {
		const size_t end = by_sample ? columns_min(elements.end, at - at % sample + sample) : elements.end;
		size_t number;

		s = stretch_first(p->view, (struct norm_part){ at, end });
		number = by_sample ? s.run : s.feature;
		part.view = s.view;
		part.y = norm_pass_y(p, at);
		part.by = (struct norm_by){ p->by.mean + number, p->by.rstd + number, from(p->by.weight, s.feature),
			from(p->by.bias, s.feature) };
		finite &= kernels_for(p)->by_feature(&part, (struct norm_part){ 0, s.view.outer });
	}
	return finite;
}

static bool
by_feature_part(const struct norm_pass *p, struct norm_part elements)
{
	if (elements.first == 0 && elements.end == norm_view_elements(p->view))
		return kernels_for(p)->by_feature(p, (struct norm_part){ 0, p->view.outer });
	return by_stretches(p, elements, false);
}

static bool
by_sample_part(const struct norm_pass *p, struct norm_part elements)
{
	return by_stretches(p, elements, true);
}

const struct norm_op norm_by_feature = { .part = by_feature_part, .cut = cut_elements };
const struct norm_op norm_by_sample = { .part = by_sample_part, .cut = cut_elements };

/* ---- by groups */

/* Some groups of one sample. */
struct some_groups {
	size_t count;
	size_t channels; /* of each */
	size_t element;  /* the first element */
	size_t channel;  /* the first channel */
};

/*
 * Two passes, with the numbers on the stack. If a group has more channels than fit there, it is the only one, and all
 * of its channels have the same two numbers.
 */
static bool
normalize_some_groups(const struct norm_pass *p, struct norm_pass *part, const struct some_groups *some)
{
	const size_t channels = some->count * some->channels, block = columns_min(channels, COLUMNS_MAX);
	const size_t each = columns_min(some->channels, block), inner = p->view.inner;
	bool finite;
	size_t c, n;

	part->view = (struct norm_view){ 1, some->count, some->channels * inner };
	part->x = norm_pass_y(p, some->element);
	(void)kernels_for(p)->moments(part, (struct norm_part){ 0, some->count });
	/* Here, because an infinite variance gives rstd = 0, which is finite. */
	finite = finite_all(part->var, some->count);
	normalize_rstd(part->var, p->eps, some->count, part->rstd);
	normalize_spread(part->mean, each, block);
	normalize_spread(part->rstd, each, block);
	for (c = 0; c < channels; c += n) {
		n = columns_min(block, channels - c);
		part->view = (struct norm_view){ 1, n, inner };
		part->y = norm_pass_y(p, some->element + c * inner);
		part->by.weight = from(p->by.weight, some->channel + c);
		part->by.bias = from(p->by.bias, some->channel + c);
		finite &= kernels_for(p)->by_feature(part, (struct norm_part){ 0, 1 });
	}
	return finite;
}

/* As many groups of a sample at a time as have room for their numbers on the stack and stay in the cache. */
static bool
groups_part(const struct norm_pass *p, struct norm_part groups)
{
	const size_t channels = p->view.feature / p->groups, size = channels * p->view.inner;
	const size_t most = columns_min(COLUMNS_MAX / columns_min(channels, COLUMNS_MAX), 1 + GROUPS_KEPT / size);
	double mean[COLUMNS_MAX], rstd[COLUMNS_MAX];
	struct norm_pass part = *p;
	bool finite = true;
	size_t n;

	part.mean = mean;
	part.var = part.rstd = rstd;
	part.mean_low = NULL;
	part.by = (struct norm_by){ .mean = mean, .rstd = rstd };
	for (; groups.first < groups.end; groups.first += n) {
		const size_t first = groups.first % p->groups;
		struct some_groups some = { 0, channels, groups.first * size, first * channels };

		n = columns_min(most, columns_min(p->groups - first, groups.end - groups.first));
		some.count = n;
		finite &= normalize_some_groups(p, &part, &some);
	}
	return finite;
}

static struct norm_cut
cut_groups(const struct norm_pass *p)
{
	return (struct norm_cut){ p->view.outer * p->groups, 1 };
}

const struct norm_op norm_groups = { .part = groups_part, .cut = cut_groups };

/* ---- by rows, and clipping */

KERNELS_PART(rows_part, rows)
KERNELS_PART(rows_by_part, rows_by)
KERNELS_PART(clip_part, clip)

const struct norm_op norm_rows = { .part = rows_part, .cut = cut_rows };
const struct norm_op norm_rows_by = { .part = rows_by_part, .cut = cut_rows };
const struct norm_op norm_clip = { .part = clip_part, .cut = cut_elements };
