#include "handlers/parts.h"

#include "handlers/pass.h"
#include "norm/moments.h"
#include "norm/normalize.h"

/* Where a part may begin, of those that may begin anywhere: no two of them share a line of the cache. */
#define ELEMENTS_STEP ((size_t)1024)
static bool
part_moments(const struct pass *p, struct norm_part part)
{
	moments_part(p->real, p->x, p->view, part, p->mean, p->var);
	return true;
}

void
parts_moments(struct crew *crew, enum norm_real real, const void *x, struct norm_view view, double *mean, double *var)
{
	(void)pass_run(crew,
	    &(struct pass){ .part = part_moments,
		.count = view.feature,
		.step = cut_step(view),
		.elements = view_elements(view),
		.real = real,
		.x = x,
		.view = view,
		.mean = mean,
		.var = var });
}

static bool
part_batch(const struct pass *p, struct norm_part part)
{
	return normalize_batch_part(p->real, p->y, p->view, part, p->eps, p->weight, p->bias, p->mean, p->var, p->rstd);
}

/* Of few features the moments are what they are, and the elements are then cut evenly. */
bool
parts_normalize_batch(struct crew *crew, enum norm_real real, void *x, struct norm_view view, double eps, const double *weight,
    const double *bias, double *mean, double *var, double *rstd)
{
	const struct pass p = { .part = part_batch,
		.count = view.feature,
		.step = cut_step(view),
		.elements = view_elements(view),
		.real = real,
		.y = x,
		.view = view,
		.eps = eps,
		.weight = weight,
		.bias = bias,
		.mean = mean,
		.var = var,
		.rstd = rstd };

	if (!pass_is_uneven(crew, &p))
		return pass_run(crew, &p);
	parts_moments(crew, real, x, view, mean, var);
	normalize_rstd(var, eps, view.feature, rstd);
	return parts_normalize_by_feature(crew, real, x, view, mean, rstd, weight, bias);
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
	return pass_run(crew,
	    &(struct pass){ .part = part_by_feature,
		.count = view_elements(view),
		.step = ELEMENTS_STEP,
		.elements = view_elements(view),
		.real = real,
		.y = x,
		.view = view,
		.by_mean = mean,
		.by_rstd = rstd,
		.weight = weight,
		.bias = bias });
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
	return pass_run(crew,
	    &(struct pass){ .part = part_by_sample,
		.count = view_elements(view),
		.step = ELEMENTS_STEP,
		.elements = view_elements(view),
		.real = real,
		.y = x,
		.view = view,
		.by_mean = mean,
		.by_rstd = rstd,
		.weight = weight,
		.bias = bias });
}

static bool
part_groups(const struct pass *p, struct norm_part part)
{
	return normalize_groups_part(p->real, p->y, p->view, p->groups, part, p->eps, p->weight, p->bias);
}

bool
parts_normalize_groups(struct crew *crew, enum norm_real real, void *x, struct norm_view view, size_t groups, double eps,
    const double *weight, const double *bias)
{
	return pass_run(crew,
	    &(struct pass){ .part = part_groups,
		.count = view.outer * groups,
		.step = 1,
		.elements = view_elements(view),
		.real = real,
		.y = x,
		.view = view,
		.groups = groups,
		.eps = eps,
		.weight = weight,
		.bias = bias });
}

/* The rows' size is the view's inner. */
static bool
part_rows(const struct pass *p, struct norm_part part)
{
	return normalize_rows(p->real, pass_element(p, part.first * p->view.inner), part.end - part.first, p->view.inner,
	    p->centered, p->eps, p->weight, p->bias);
}

bool
parts_normalize_rows(struct crew *crew, enum norm_real real, void *x, size_t rows, size_t size, bool centered, double eps,
    const double *weight, const double *bias)
{
	return pass_run(crew,
	    &(struct pass){ .part = part_rows,
		.count = rows,
		.step = 1,
		.elements = rows * size,
		.real = real,
		.y = x,
		.view = { 1, rows, size },
		.centered = centered,
		.eps = eps,
		.weight = weight,
		.bias = bias });
}

static bool
part_rows_by(const struct pass *p, struct norm_part part)
{
	return normalize_rows_by(p->real, pass_element(p, part.first * p->view.inner), part.end - part.first, p->view.inner,
	    p->by_mean + part.first, p->by_rstd + part.first, p->weight, p->bias);
}

bool
parts_normalize_rows_by(struct crew *crew, enum norm_real real, void *x, size_t rows, size_t size, const double *mean,
    const double *rstd, const double *weight, const double *bias)
{
	return pass_run(crew,
	    &(struct pass){ .part = part_rows_by,
		.count = rows,
		.step = 1,
		.elements = rows * size,
		.real = real,
		.y = x,
		.view = { 1, rows, size },
		.by_mean = mean,
		.by_rstd = rstd,
		.weight = weight,
		.bias = bias });
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
	(void)pass_run(crew,
	    &(struct pass){ .part = part_clip,
		.count = count,
		.step = ELEMENTS_STEP,
		.elements = count,
		.real = real,
		.y = x,
		.limit = limit });
}
