/* SPDX-License-Identifier: MIT */
#include "layer/parts.h"

#include "layer/pass.h"
#include "norm/feature_bands.h"
#include "norm/moments.h"
#include "norm/normalize.h"

static bool
part_moments(const struct pass *p, struct norm_part part)
{
	moments_part(p->real, p->x, p->view, part, p->mean, p->var);
	return true;
}

static bool
part_moments_bands(const struct pass *p, struct norm_part part)
{
	feature_bands_moments(p->real, p->x, p->view, part, p->scratch);
	return true;
}

static void
moments_in_bands(
    struct crew *crew, enum norm_real real, const void *x, struct norm_view view, double *mean, double *var)
{
	struct pass p = pass_cut_each(part_moments_bands, feature_bands(view), real, x, NULL, view);
	double scratch[FEATURE_BANDS_SCRATCH];

	p.scratch = scratch;
	(void)pass_run(crew, &p);
	feature_bands_join_moments(view, scratch, mean, var);
}

void
parts_moments(struct crew *crew, enum norm_real real, const void *x, struct norm_view view, double *mean, double *var)
{
	struct pass p = pass_cut_features(part_moments, real, x, NULL, view);

	if (feature_bands(view) > 1) {
		moments_in_bands(crew, real, x, view, mean, var);
		return;
	}
	p.mean = mean;
	p.var = var;
	(void)pass_run(crew, &p);
}

static bool
part_pack(const struct pass *p, struct norm_part part)
{
	padding_pack(p->real, p->padding, part, p->x, p->y);
	return true;
}

static bool
part_unpack(const struct pass *p, struct norm_part part)
{
	padding_unpack(p->real, p->padding, part, p->x, p->y);
	return true;
}

static void
run_padding(
    struct crew *crew, pass_part *part, enum norm_real real, const struct padding *padding, const void *in, void *out)
{
	struct pass p = pass_cut_each(part, padding_parts(padding), real, in, out, padding->view);

	p.padding = padding;
	(void)pass_run(crew, &p);
}

void
parts_pack(struct crew *crew, enum norm_real real, const struct padding *padding, const void *x, void *packed)
{
	run_padding(crew, part_pack, real, padding, x, packed);
}

void
parts_unpack(struct crew *crew, enum norm_real real, const struct padding *padding, const void *packed, void *x)
{
	run_padding(crew, part_unpack, real, padding, packed, x);
}

static bool
part_fill(const struct pass *p, struct norm_part part)
{
	padding_fill(p->real, p->padding, part, p->y);
	return true;
}

void
parts_fill(struct crew *crew, enum norm_real real, const struct padding *padding, void *x)
{
	run_padding(crew, part_fill, real, padding, x, x);
}

static bool
part_clear(const struct pass *p, struct norm_part part)
{
	padding_clear(p->real, p->padding, part, p->y);
	return true;
}

void
parts_clear(struct crew *crew, enum norm_real real, const struct padding *padding, void *x)
{
	run_padding(crew, part_clear, real, padding, x, x);
}

static bool
part_batch(const struct pass *p, struct norm_part part)
{
	return normalize_batch_part(p->real, p->y, p->view, part, p->eps, p->weight, p->bias, p->mean, p->var, p->rstd);
}

/* Of few features the elements are cut evenly, once there are the moments. */
bool
parts_normalize_batch(struct crew *crew, enum norm_real real, void *x, struct norm_view view, double eps,
    const double *weight, const double *bias, double *mean, double *var, double *rstd)
{
	struct pass p = pass_cut_features(part_batch, real, x, x, view);

	p.eps = eps;
	p.weight = weight;
	p.bias = bias;
	p.mean = mean;
	p.var = var;
	p.rstd = rstd;
	if (feature_bands(view) == 1 && !pass_is_uneven(crew, &p))
		return pass_run(crew, &p);
	parts_moments(crew, real, x, view, mean, var);
	normalize_rstd(var, eps, view.feature, rstd);
	return parts_normalize_by_feature(crew, real, x, view, mean, rstd, weight, bias);
}

/* Runs a pass that normalizes by moments that are given. */
static bool
run_given(
    struct crew *crew, struct pass p, const double *mean, const double *rstd, const double *weight, const double *bias)
{
	p.by_mean = mean;
	p.by_rstd = rstd;
	p.weight = weight;
	p.bias = bias;
	return pass_run(crew, &p);
}

static bool
part_by_feature(const struct pass *p, struct norm_part part)
{
	return normalize_by_feature_part(p->real, p->y, p->view, part, p->by_mean, p->by_rstd, p->weight, p->bias);
}

bool
parts_normalize_by_feature(struct crew *crew, enum norm_real real, void *x, struct norm_view view, const double *mean,
    const double *rstd, const double *weight, const double *bias)
{
	return run_given(crew, pass_cut_elements(part_by_feature, real, x, x, view), mean, rstd, weight, bias);
}

static bool
part_by_sample(const struct pass *p, struct norm_part part)
{
	return normalize_by_sample_part(p->real, p->y, p->view, part, p->by_mean, p->by_rstd, p->weight, p->bias);
}

bool
parts_normalize_by_sample(struct crew *crew, enum norm_real real, void *x, struct norm_view view, const double *mean,
    const double *rstd, const double *weight, const double *bias)
{
	return run_given(crew, pass_cut_elements(part_by_sample, real, x, x, view), mean, rstd, weight, bias);
}

static bool
part_groups(const struct pass *p, struct norm_part part)
{
	return normalize_groups_part(p->real, p->y, p->view, p->groups, part, p->eps, p->weight, p->bias);
}

bool
parts_normalize_groups(struct crew *crew, enum norm_real real, void *x, struct norm_view view, size_t groups,
    double eps, const double *weight, const double *bias)
{
	struct pass p = pass_cut_each(part_groups, view.outer * groups, real, x, x, view);

	p.groups = groups;
	p.eps = eps;
	p.weight = weight;
	p.bias = bias;
	return pass_run(crew, &p);
}

/* The rows' size is the view's inner. */
static bool
part_rows(const struct pass *p, struct norm_part part)
{
	return normalize_rows(p->real, pass_element(p, part.first * p->view.inner), part.end - part.first,
	    p->view.inner, p->centered, p->eps, p->weight, p->bias);
}

bool
parts_normalize_rows(struct crew *crew, enum norm_real real, void *x, size_t rows, size_t size, bool centered,
    double eps, const double *weight, const double *bias)
{
	struct pass p = pass_cut_each(part_rows, rows, real, x, x, rows_view(rows, size));

	p.centered = centered;
	p.eps = eps;
	p.weight = weight;
	p.bias = bias;
	return pass_run(crew, &p);
}

static bool
part_rows_by(const struct pass *p, struct norm_part part)
{
	return normalize_rows_by(p->real, pass_element(p, part.first * p->view.inner), part.end - part.first,
	    p->view.inner, p->by_mean + part.first, p->by_rstd + part.first, p->weight, p->bias);
}

bool
parts_normalize_rows_by(struct crew *crew, enum norm_real real, void *x, size_t rows, size_t size, const double *mean,
    const double *rstd, const double *weight, const double *bias)
{
	const struct pass p = pass_cut_each(part_rows_by, rows, real, x, x, rows_view(rows, size));

	return run_given(crew, p, mean, rstd, weight, bias);
}

static bool
part_clip(const struct pass *p, struct norm_part part)
{
	normalize_clip(p->real, pass_element(p, part.first), part.end - part.first, p->limit);
	return true;
}

void
parts_normalize_clip(struct crew *crew, enum norm_real real, void *x, size_t count, double limit)
{
	struct pass p = pass_cut_elements(part_clip, real, x, x, rows_view(1, count));

	p.limit = limit;
	(void)pass_run(crew, &p);
}
