/* SPDX-License-Identifier: MIT */
/* The backward pass by features: the gradient by x from the sums of norm/kernels/sums_body.h. */

/* A run whose terms are all the same; in a plain run they are about 0 and not about the mean. */
static ALWAYS_INLINE void
NAME(run_backward_inline)(const REAL *restrict x, REAL *restrict g, size_t n, double mean,
    const struct backward_terms t, struct NAME(noted) * noted, bool plain)
{
	struct NAME(noted) seen = *noted;
	wide d;
	size_t i;

	for (i = 0; PUTS_WIDE && i + KERNELS_WIDTH <= n; i += KERNELS_WIDTH) {
		d = NAME(wide_load)(x + i);
		if (!plain)
			d -= mean;
		NAME(wide_put)(g + i, t.by_g * NAME(wide_load)(g + i) + t.by_x * d + t.constant, &seen.lanes);
	}
	for (; i < n; i++) {
		const double one = NAME(load)(x[i]) - (plain ? 0 : mean);

		g[i] = NAME(store)(t.by_g * NAME(load)(g[i]) + t.by_x * one + t.constant);
		seen.one |= NAME(excess)(g[i]);
	}
	*noted = seen;
}

static void
NAME(run_backward)(const REAL *x, REAL *g, size_t n, bool plain, double mean, const struct backward_terms *t,
    struct NAME(noted) * noted)
{
	const struct backward_terms about_0 = { t->by_g, t->by_x, t->constant - t->by_x * mean };

	if (plain)
		NAME(run_backward_inline)(x, g, n, 0, about_0, noted, true);
	else
		NAME(run_backward_inline)(x, g, n, mean, *t, noted, false);
}

/* The runs of feature f. The next feature's run, which is read next, lies beside each. */
static bool
NAME(feature_backward)(const struct norm_pass *p, size_t f, const struct backward_terms *t)
{
	const struct norm_view v = p->view;
	const size_t stride = v.feature * v.inner;
	const double mean = p->by.mean[f];
	const bool plain = NAME(is_plain)(mean, p->by.rstd[f]);
	const REAL *x = (const REAL *)p->x + f * v.inner;
	REAL *g = (REAL *)p->y + f * v.inner;
	struct NAME(noted) noted = { { 0 }, 0 };
	size_t o, i, n;

	for (o = 0; o < v.outer; o++, x += stride, g += stride)
		for (i = 0; i < v.inner; i += n) {
			n = columns_min(COLUMNS_MAX, v.inner - i);
			fetch(x + i + v.inner, n * sizeof(*x));
			fetch(g + i + v.inner, n * sizeof(*g));
			NAME(run_backward)(x + i, g + i, n, plain, mean, t, &noted);
		}
	return NAME(noted_finite)(&noted);
}

/* A step of columns, each with terms of its own. */
static ALWAYS_INLINE void
NAME(step_backward_inline)(const REAL *restrict x, REAL *restrict g, size_t width, bool plain,
    const struct feature_terms *t, struct NAME(noted) * noted)
{
	const double *by_g = t->by_g, *by_x = t->by_x, *constant = t->constant, *mean = t->mean;
	struct NAME(noted) seen = *noted;
	wide d;
	size_t i;

	for (i = 0; PUTS_WIDE && i + KERNELS_WIDTH <= width; i += KERNELS_WIDTH) {
		d = NAME(wide_load)(x + i);
		if (!plain)
			d -= wide_load_double(mean + i);
		d = wide_load_double(by_g + i) * NAME(wide_load)(g + i) + wide_load_double(by_x + i) * d;
		NAME(wide_put)(g + i, d + wide_load_double(constant + i), &seen.lanes);
	}
	for (; i < width; i++) {
		g[i] = NAME(store)(
		    by_g[i] * NAME(load)(g[i]) + by_x[i] * (NAME(load)(x[i]) - (plain ? 0 : mean[i])) + constant[i]);
		seen.one |= NAME(excess)(g[i]);
	}
	*noted = seen;
}

static void
NAME(step_backward)(
    const REAL *x, REAL *g, size_t width, bool plain, const struct feature_terms *t, struct NAME(noted) * noted)
{
	if (plain)
		NAME(step_backward_inline)(x, g, width, true, t, noted);
	else
		NAME(step_backward_inline)(x, g, width, false, t, noted);
}

/* One block of features of a view, whose tensors are x and g. */
static bool
NAME(block_backward)(const struct norm_pass *p, struct norm_part outer, const struct columns *c)
{
	const struct norm_view v = p->view;
	const size_t stride = c->rows * v.feature * v.inner, at = (outer.first * v.feature + c->first) * v.inner;
	const bool plain = NAME(columns_plain)(c, &p->by);
	const struct feature_terms t = feature_terms_in(p);
	double m[COLUMNS_MAX] LINE_ALIGNED, by_g[COLUMNS_MAX] LINE_ALIGNED, by_x[COLUMNS_MAX] LINE_ALIGNED;
	double constant[COLUMNS_MAX] LINE_ALIGNED;
	const struct feature_terms spread = { m, by_g, by_x, constant };
	const REAL *x = (const REAL *)p->x + at;
	REAL *g = (REAL *)p->y + at;
	struct NAME(noted) noted = { { 0 }, 0 };
	size_t o, i, width;

	columns_spread(c, t.mean + c->first, m);
	columns_spread(c, t.by_g + c->first, by_g);
	columns_spread(c, t.by_x + c->first, by_x);
	columns_spread(c, t.constant + c->first, constant);
	for (i = 0; i < columns_width(c, outer.end - outer.first) && plain; i++)
		constant[i] -= by_x[i] * m[i];
	for (o = outer.first; o < outer.end; o += c->rows, x += stride, g += stride) {
		width = columns_width(c, outer.end - o);
		if (stride > width) {
			fetch(x + AHEAD * stride, width * sizeof(*x));
			fetch(g + AHEAD * stride, width * sizeof(*g));
		}
		NAME(step_backward)(x, g, width, plain, &spread, &noted);
	}
	return NAME(noted_finite)(&noted);
}

/* Many features of one value each in a row: each row from its start to its end, which the processor predicts. */
static bool
NAME(positions_backward)(const struct norm_pass *p, struct norm_part outer, struct norm_part features)
{
	const size_t row = p->view.feature;
	const struct feature_terms t = feature_terms_in(p);
	const REAL *x = (const REAL *)p->x + outer.first * row;
	REAL *g = (REAL *)p->y + outer.first * row;
	struct NAME(noted) noted = { { 0 }, 0 };
	size_t o, f, width;

	for (o = outer.first; o < outer.end; o++, x += row, g += row)
		for (f = features.first; f < features.end; f += width) {
			const struct feature_terms from = { t.mean + f, t.by_g + f, t.by_x + f, t.constant + f };

			width = columns_min(COLUMNS_MAX, features.end - f);
			NAME(step_backward)(x + f, g + f, width, false, &from, &noted);
		}
	return NAME(noted_finite)(&noted);
}

/* Some features at some indices of outer, by the terms of the pass. */
static bool
NAME(columns_backward)(const struct norm_pass *p, struct norm_part outer, struct norm_part features)
{
	struct norm_view some = p->view;
	bool finite = true;
	struct columns c;
	size_t f;

	if (some.inner == 1 && some.feature > COLUMNS_MAX / 2)
		return NAME(positions_backward)(p, outer, features);
	some.outer = outer.end - outer.first;
	for (f = features.first; f < features.end; f += c.features) {
		c = columns_block(some, f);
		finite &= NAME(block_backward)(p, outer, &c);
	}
	return finite;
}

/* dx = by_g[f] dy + by_x[f] (x - mean[f]) + constant[f]. */
static bool
NAME(terms_backward)(const struct norm_pass *p, struct norm_part outer)
{
	const struct norm_view v = p->view;
	const struct feature_terms t = feature_terms_in(p);
	const size_t at = outer.first * v.feature * v.inner;
	const REAL *x = (const REAL *)p->x + at;
	REAL *g = (REAL *)p->y + at;
	struct NAME(noted) noted = { { 0 }, 0 };
	size_t o, f;

	if (v.inner < SHORT_RUN)
		return NAME(columns_backward)(p, outer, (struct norm_part){ 0, v.feature });
	for (o = outer.first; o < outer.end; o++)
		for (f = 0; f < v.feature; f++, x += v.inner, g += v.inner) {
			const bool plain = NAME(is_plain)(t.mean[f], p->by.rstd[f]);
			const struct backward_terms terms = { t.by_g[f], t.by_x[f], t.constant[f] };

			NAME(run_backward)(x, g, v.inner, plain, t.mean[f], &terms, &noted);
		}
	return NAME(noted_finite)(&noted);
}

/* The sums, and the gradients by them. Long runs go feature by feature: the second reading comes from the cache. */
static bool
NAME(batch_backward)(const struct norm_pass *p, struct norm_part features)
{
	const struct norm_view v = p->view;
	const struct feature_terms t = feature_terms_in(p);
	bool finite = true;
	size_t f;

	if (v.inner < SHORT_RUN) {
		(void)NAME(sums)(p, features);
		for (f = features.first; f < features.end; f++)
			(void)feature_terms_set(&t, f, p, p->grad_bias[f], p->grad_weight[f]);
		finite = NAME(columns_backward)(p, (struct norm_part){ 0, v.outer }, features);
	}
	for (f = features.first; f < features.end && v.inner >= SHORT_RUN; f++) {
		struct backward_terms terms;

		NAME(feature_sums_backward)(p, f);
		terms = feature_terms_set(&t, f, p, p->grad_bias[f], p->grad_weight[f]);
		finite &= NAME(feature_backward)(p, f, &terms);
	}
	for (f = features.first; f < features.end; f++)
		p->grad_weight[f] *= p->by.rstd[f];
	return finite;
}

/* dy = 0 where the output of the forward pass, which is p->x here, was clipped. */
static bool
NAME(clip_backward)(const struct norm_pass *p, struct norm_part elements)
{
	const double limit = p->limit;
	const REAL *y = p->x;
	REAL *g = p->y;
	double value;
	size_t i;

	for (i = elements.first; i < elements.end; i++) {
		value = NAME(load)(y[i]);
		if (value > limit || value < -limit)
			g[i] = NAME(store)(0);
	}
	return true;
}
