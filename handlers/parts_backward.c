/* The passes backward. */
#include "handlers/parts.h"
#include "handlers/pass.h"

static bool
part_backward(const struct pass *p, struct norm_part part)
{
	return backward_by_feature_part(p->real, p->x, p->y, p->view, part, p->values, p->by_mean, p->by_rstd, p->weight,
	    p->grad_weight, p->grad_bias, p->scratch);
}

static bool
part_sums(const struct pass *p, struct norm_part part)
{
	backward_sums_part(p->real, p->x, p->y, p->view, part, p->by_mean, p->by_rstd, p->grad_bias, p->grad_weight);
	return true;
}

static bool
part_coefficients(const struct pass *p, struct norm_part part)
{
	const struct norm_view some = { part.end - part.first, p->view.feature, p->view.inner };
	const size_t at = part.first * p->view.feature * p->view.inner;

	return backward_by_coefficients(p->real, (const unsigned char *)p->x + at * norm_real_size(p->real),
	    pass_element(p, at), some, p->by_mean, p->by_rstd, p->scratch);
}

/* By indices of outer, once the sums are known. */
static bool
run_coefficients(struct crew *crew, const struct pass *by_features)
{
	struct pass p = *by_features;

	p.part = part_coefficients;
	p.count = p.view.outer;
	p.step = 1;
	return pass_run(crew, &p);
}

/* As parts_normalize_batch: of few features the sums are what they are. */
bool
parts_backward_by_feature(struct crew *crew, enum norm_real real, const void *x, void *g, struct norm_view view, size_t n,
    const double *mean, const double *rstd, const double *weight, double *grad_weight, double *grad_bias, double *scratch)
{
	struct pass p = { .part = part_backward,
		.count = view.feature,
		.step = cut_step(view),
		.elements = view_elements(view),
		.real = real,
		.x = x,
		.y = g,
		.view = view,
		.by_mean = mean,
		.by_rstd = rstd,
		.weight = weight,
		.values = n,
		.grad_weight = grad_weight,
		.grad_bias = grad_bias,
		.scratch = scratch };
	bool finite;

	if (!pass_is_uneven(crew, &p))
		return pass_run(crew, &p);
	p.part = part_sums;
	(void)pass_run(crew, &p);
	backward_coefficients(n, view.feature, rstd, weight, grad_bias, grad_weight, scratch);
	finite = run_coefficients(crew, &p);
	for (size_t f = 0; f < view.feature; f++)
		grad_weight[f] *= rstd[f];
	return finite;
}

void
parts_backward_sums(struct crew *crew, enum norm_real real, const void *x, void *g, struct norm_view view, const double *mean,
    const double *rstd, double *sum, double *product)
{
	(void)pass_run(crew,
	    &(struct pass){ .part = part_sums,
		.count = view.feature,
		.step = cut_step(view),
		.elements = view_elements(view),
		.real = real,
		.x = x,
		.y = g,
		.view = view,
		.by_mean = mean,
		.by_rstd = rstd,
		.grad_weight = product,
		.grad_bias = sum });
}

bool
parts_backward_by_sums(struct crew *crew, enum norm_real real, const void *x, void *g, struct norm_view view, uint64_t n,
    const double *mean, const double *rstd, const double *weight, const double *sum, const double *product, double *scratch)
{
	backward_coefficients(n, view.feature, rstd, weight, sum, product, scratch);
	return run_coefficients(crew,
	    &(struct pass){ .elements = view_elements(view),
		.real = real,
		.x = x,
		.y = g,
		.view = view,
		.by_mean = mean,
		.by_rstd = rstd,
		.scratch = scratch });
}

static bool
part_backward_groups(const struct pass *p, struct norm_part part)
{
	return backward_groups_part(p->real, p->x, p->y, p->view, p->groups, part, p->eps, p->weight, p->padding, p->scratch);
}

/* Padding has room for one sample or row at a time only. */
bool
parts_backward_groups(struct crew *crew, enum norm_real real, const void *x, void *g, struct norm_view view, size_t groups,
    double eps, const double *weight, const struct backward_padding *padding, double *grad_weight, double *grad_bias,
    double *scratch)
{
	const bool finite = pass_run(padding == NULL ? crew : NULL,
	    &(struct pass){ .part = part_backward_groups,
		.count = backward_groups_bands(view),
		.step = 1,
		.elements = view_elements(view),
		.real = real,
		.x = x,
		.y = g,
		.view = view,
		.groups = groups,
		.eps = eps,
		.weight = weight,
		.padding = padding,
		.scratch = scratch });

	backward_groups_join(view, scratch, grad_weight, grad_bias);
	return finite;
}

/* The view is (1, rows, size). */
static bool
part_backward_rows(const struct pass *p, struct norm_part part)
{
	return backward_rows_part(
	    p->real, p->x, p->y, p->view.feature, p->view.inner, part, p->centered, p->eps, p->weight, p->padding, p->scratch);
}

bool
parts_backward_rows(struct crew *crew, enum norm_real real, const void *x, void *g, size_t rows, size_t size, bool centered,
    double eps, const double *weight, const struct backward_padding *padding, double *grad_weight, double *grad_bias,
    double *scratch)
{
	const bool finite = pass_run(padding == NULL ? crew : NULL,
	    &(struct pass){ .part = part_backward_rows,
		.count = backward_rows_bands(rows, size),
		.step = 1,
		.elements = rows * size,
		.real = real,
		.x = x,
		.y = g,
		.view = { 1, rows, size },
		.centered = centered,
		.eps = eps,
		.weight = weight,
		.padding = padding,
		.scratch = scratch });

	backward_rows_join(rows, size, scratch, grad_weight, grad_bias);
	return finite;
}
