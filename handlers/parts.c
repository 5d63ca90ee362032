#include "handlers/parts.h"

#include <stdatomic.h>

#include "norm/backward.h"
#include "norm/cut.h"
#include "norm/moments.h"
#include "norm/normalize.h"

/* Elements of a part, at least: what it costs to begin one does not show. */
#define PART_ELEMENTS ((size_t)32 << 10)
/* Where a part may begin, of those that may begin anywhere: no two of them share a line of the cache. */
#define ELEMENTS_STEP ((size_t)1024)
/* Parts for each thread: so many that nobody waits long for the last one, so few that each is a good stretch of memory. */
#define PARTS_EACH ((size_t)8)
/* With fewer for each they are not shared out evenly. */
#define PARTS_EVEN ((size_t)2)

/* One pass: what norm's function takes, of which a pass uses some, and into what it may be cut. */
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

static bool
is_shared(const struct crew *crew, size_t elements)
{
	return elements >= PARTS_FROM && crew != NULL && crew->threads > 1;
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many parts a pass that is shared has. */
static size_t
pass_parts(const struct crew *crew, const struct pass *p)
{
	return smaller(cut_most(p->count, p->step), smaller(p->elements / PART_ELEMENTS, PARTS_EACH * crew->threads));
}

/* A pass in parts, and whether what all of them wrote is finite. */
struct shared_pass {
	const struct pass *pass;
	size_t parts;
	size_t lanes;
	atomic_bool infinite;
};

/*
 * The place of the part that is begun as number `i`. Those that are begun one after another lie far apart: where two threads write what lies
 * side by side, each asks ahead for what the other is about to write (measured: a feature each in turn gains a third, not all).
 */
static size_t
part_place(const struct shared_pass *s, size_t i)
{
	return cut_part(s->parts, 1, s->lanes, i % s->lanes).first + i / s->lanes;
}

static void
run_part(void *arg, size_t i)
{
	struct shared_pass *s = arg;
	const struct pass *p = s->pass;

	if (!p->part(p, cut_part(p->count, p->step, s->parts, part_place(s, i))))
		atomic_store_explicit(&s->infinite, true, memory_order_relaxed);
}

/* Returns whether all is finite. */
static bool
run(struct crew *crew, const struct pass *p)
{
	struct shared_pass s = { .pass = p };

	if (!is_shared(crew, p->elements))
		return p->part(p, (struct norm_part){ 0, p->count });
	s.parts = pass_parts(crew, p);
	s.lanes = smaller(s.parts, crew->threads);
	crew_run(crew, s.parts, run_part, &s);
	return !atomic_load_explicit(&s.infinite, memory_order_relaxed);
}

static size_t
view_elements(struct norm_view v)
{
	return v.outer * v.feature * v.inner;
}

/* Where row or element `i` lies. */
static void *
element_at(const struct pass *p, size_t i)
{
	return (unsigned char *)p->y + i * norm_real_size(p->real);
}

static bool
part_moments(const struct pass *p, struct norm_part part)
{
	moments_part(p->real, p->x, p->view, part, p->mean, p->var);
	return true;
}

void
parts_moments(struct crew *crew, enum norm_real real, const void *x, struct norm_view view, double *mean, double *var)
{
	(void)run(crew,
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

	if (!is_shared(crew, p.elements) || pass_parts(crew, &p) >= PARTS_EVEN * crew->threads)
		return run(crew, &p);
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
	return run(crew,
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
	return run(crew,
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
	return run(crew,
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
	return normalize_rows(p->real, element_at(p, part.first * p->view.inner), part.end - part.first, p->view.inner,
	    p->centered, p->eps, p->weight, p->bias);
}

bool
parts_normalize_rows(struct crew *crew, enum norm_real real, void *x, size_t rows, size_t size, bool centered, double eps,
    const double *weight, const double *bias)
{
	return run(crew,
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
	return normalize_rows_by(p->real, element_at(p, part.first * p->view.inner), part.end - part.first, p->view.inner,
	    p->by_mean + part.first, p->by_rstd + part.first, p->weight, p->bias);
}

bool
parts_normalize_rows_by(struct crew *crew, enum norm_real real, void *x, size_t rows, size_t size, const double *mean,
    const double *rstd, const double *weight, const double *bias)
{
	return run(crew,
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
	normalize_clip(p->real, element_at(p, part.first), part.end - part.first, p->limit);
	return true;
}

void
parts_normalize_clip(struct crew *crew, enum norm_real real, void *x, size_t count, double limit)
{
	(void)run(crew,
	    &(struct pass){ .part = part_clip,
		.count = count,
		.step = ELEMENTS_STEP,
		.elements = count,
		.real = real,
		.y = x,
		.limit = limit });
}

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

	return backward_by_coefficients(p->real, (const unsigned char *)p->x + at * norm_real_size(p->real), element_at(p, at),
	    some, p->by_mean, p->by_rstd, p->scratch);
}

/* By indices of outer, once the sums are known. */
static bool
run_coefficients(struct crew *crew, const struct pass *by_features)
{
	struct pass p = *by_features;

	p.part = part_coefficients;
	p.count = p.view.outer;
	p.step = 1;
	return run(crew, &p);
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

	if (!is_shared(crew, p.elements) || pass_parts(crew, &p) >= PARTS_EVEN * crew->threads)
		return run(crew, &p);
	p.part = part_sums;
	(void)run(crew, &p);
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
	(void)run(crew,
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
	const bool finite = run(padding == NULL ? crew : NULL,
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
	const bool finite = run(padding == NULL ? crew : NULL,
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
