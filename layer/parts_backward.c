/* SPDX-License-Identifier: MIT */
/* The passes backward. */
#include "layer/parts.h"
#include "layer/pass.h"
#include "norm/feature_bands.h"

static bool
part_backward(const struct pass *p, struct norm_part part)
{
	return backward_by_feature_part(p->real, p->x, p->y, p->view, part, p->values, p->by_mean, p->by_rstd,
	    p->weight, p->grad_weight, p->grad_bias, p->scratch);
}

/* As parts_normalize_batch. */
bool
parts_backward_by_feature(struct crew *crew, enum norm_real real, const void *x, void *g, struct norm_view view,
    size_t n, const double *mean, const double *rstd, const double *weight, double *grad_weight, double *grad_bias,
    double *scratch)
{
	struct pass p = pass_cut_features(part_backward, real, x, g, view);
	bool finite;

	p.by_mean = mean;
	p.by_rstd = rstd;
	p.weight = weight;
	p.values = n;
	p.grad_weight = grad_weight;
	p.grad_bias = grad_bias;
	p.scratch = scratch;
	if (feature_bands(view) == 1 && !pass_is_uneven(crew, &p))
		return pass_run(crew, &p);
	parts_backward_sums(crew, real, x, g, view, mean, rstd, grad_bias, grad_weight);
	finite = parts_backward_by_sums(crew, real, x, g, view, n, mean, rstd, weight, grad_bias, grad_weight, scratch);
	for (size_t f = 0; f < view.feature; f++)
		grad_weight[f] *= rstd[f];
	return finite;
}

static bool
part_sums(const struct pass *p, struct norm_part part)
{
	backward_sums_part(p->real, p->x, p->y, p->view, part, p->by_mean, p->by_rstd, p->grad_bias, p->grad_weight);
	return true;
}

static bool
part_sums_bands(const struct pass *p, struct norm_part part)
{
	feature_bands_sums(p->real, p->x, p->y, p->view, part, p->by_mean, p->by_rstd, p->scratch);
	return true;
}

/* The same in bands, of a pass that is otherwise ready. */
static void
sums_in_bands(struct crew *crew, const struct pass *ready, double *sum, double *product)
{
	double scratch[FEATURE_BANDS_SCRATCH];
	struct pass p = *ready;

	p.part = part_sums_bands;
	p.count = feature_bands(p.view);
	p.step = 1;
	p.scratch = scratch;
	(void)pass_run(crew, &p);
	feature_bands_join_sums(p.view, scratch, sum, product);
}

void
parts_backward_sums(struct crew *crew, enum norm_real real, const void *x, void *g, struct norm_view view,
    const double *mean, const double *rstd, double *sum, double *product)
{
	struct pass p = pass_cut_features(part_sums, real, x, g, view);

	p.by_mean = mean;
	p.by_rstd = rstd;
	p.grad_bias = sum;
	p.grad_weight = product;
	if (feature_bands(view) > 1)
		sums_in_bands(crew, &p, sum, product);
	else
		(void)pass_run(crew, &p);
}

static bool
part_coefficients(const struct pass *p, struct norm_part part)
{
	const struct norm_view some = { part.end - part.first, p->view.feature, p->view.inner };
	const size_t at = part.first * p->view.feature * p->view.inner;

	return backward_by_coefficients(p->real, (const unsigned char *)p->x + at * norm_real_size(p->real),
	    pass_element(p, at), some, p->by_mean, p->by_rstd, p->scratch);
}

bool
parts_backward_by_sums(struct crew *crew, enum norm_real real, const void *x, void *g, struct norm_view view,
    uint64_t n, const double *mean, const double *rstd, const double *weight, const double *sum, const double *product,
    double *scratch)
{
	struct pass p = pass_cut_each(part_coefficients, view.outer, real, x, g, view);

	p.by_mean = mean;
	p.by_rstd = rstd;
	p.scratch = scratch;
	backward_coefficients(n, view.feature, rstd, weight, sum, product, scratch);
	return pass_run(crew, &p);
}

/* A pass over samples or rows by moments of their own. */
static bool
run_bands(struct crew *crew, struct pass p, double eps, const double *weight, double *scratch)
{
	p.eps = eps;
	p.weight = weight;
	p.scratch = scratch;
	return pass_run(crew, &p);
}

static bool
part_backward_groups(const struct pass *p, struct norm_part part)
{
	return backward_groups_part(p->real, p->x, p->y, p->view, p->groups, part, p->eps, p->weight, p->scratch);
}

bool
parts_backward_groups(struct crew *crew, enum norm_real real, const void *x, void *g, struct norm_view view,
    size_t groups, double eps, const double *weight, double *grad_weight, double *grad_bias, double *scratch)
{
	struct pass p = pass_cut_each(part_backward_groups, backward_groups_bands(view), real, x, g, view);
	bool finite;

	p.groups = groups;
	finite = run_bands(crew, p, eps, weight, scratch);
	backward_groups_join(view, scratch, grad_weight, grad_bias);
	return finite;
}

/* The view is rows_view's. */
static bool
part_backward_rows(const struct pass *p, struct norm_part part)
{
	return backward_rows_part(
	    p->real, p->x, p->y, p->view.feature, p->view.inner, part, p->centered, p->eps, p->weight, p->scratch);
}

bool
parts_backward_rows(struct crew *crew, enum norm_real real, const void *x, void *g, size_t rows, size_t size,
    bool centered, double eps, const double *weight, double *grad_weight, double *grad_bias, double *scratch)
{
	struct pass p =
	    pass_cut_each(part_backward_rows, backward_rows_bands(rows, size), real, x, g, rows_view(rows, size));
	bool finite;

	p.centered = centered;
	finite = run_bands(crew, p, eps, weight, scratch);
	backward_rows_join(rows, size, scratch, grad_weight, grad_bias);
	return finite;
}
