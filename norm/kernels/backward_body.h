/* SPDX-License-Identifier: MIT */
/*
 * The backward pass by features, over tensors of REAL whose bits are BITS (norm/kernels/element.h); included once for
 * each by norm/kernels/kernels_body.h, without a guard, after norm/kernels/gradients_body.h. Loops are as those of
 * norm/kernels/normalize_body.h.
 */

/* A run whose coefficients are all the same; where it is plain, they are about 0 and not about the mean. */
static ALWAYS_INLINE void
NAME(run_backward_inline)(const REAL *restrict x, REAL *restrict g, size_t n, bool plain, double mean, double by_g,
    double by_x, double constant, struct NAME(noted) * noted)
{
	struct NAME(noted) seen = *noted;
	wide d;
	size_t i;

	for (i = 0; PUTS_WIDE && i + KERNELS_WIDTH <= n; i += KERNELS_WIDTH) {
		d = NAME(wide_load)(x + i);
		if (!plain)
			d -= mean;
		NAME(wide_put)(g + i, by_g * NAME(wide_load)(g + i) + by_x * d + constant, &seen.lanes);
	}
	for (; i < n; i++) {
		g[i] = NAME(store)(by_g * NAME(load)(g[i]) + by_x * (NAME(load)(x[i]) - (plain ? 0 : mean)) + constant);
		seen.one |= NAME(excess)(g[i]);
	}
	*noted = seen;
}

static void
NAME(run_backward)(const REAL *x, REAL *g, size_t n, bool plain, double mean, const struct backward_terms *t,
    struct NAME(noted) * noted)
{
	if (plain)
		NAME(run_backward_inline)(x, g, n, true, 0, t->by_g, t->by_x, t->constant - t->by_x * mean, noted);
	else
		NAME(run_backward_inline)(x, g, n, false, mean, t->by_g, t->by_x, t->constant, noted);
}

/* A feature's runs; x is at its first. Beside each lies one of the next feature, which is read next. */
static bool
NAME(feature_backward)(
    const REAL *x, REAL *g, struct norm_view v, double mean, double rstd, const struct backward_terms *t)
{
	const size_t stride = v.feature * v.inner;
	const bool plain = NAME(is_plain)(mean, rstd);
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

/* A step of columns, each with coefficients of its own. */
static ALWAYS_INLINE void
NAME(step_backward_inline)(const REAL *restrict x, REAL *restrict g, size_t width, bool plain,
    const double *restrict mean, const struct coefficients *by, struct NAME(noted) * noted)
{
	const double *by_g = by->by_g, *by_x = by->by_x, *constant = by->constant;
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
NAME(step_backward)(const REAL *x, REAL *g, size_t width, bool plain, const double *mean, const struct coefficients *by,
    struct NAME(noted) * noted)
{
	if (plain)
		NAME(step_backward_inline)(x, g, width, true, mean, by, noted);
	else
		NAME(step_backward_inline)(x, g, width, false, mean, by, noted);
}

/* One block of features; the arguments are the whole tensor's. */
static bool
NAME(block_backward)(const REAL *x, REAL *g, struct norm_view v, const struct columns *c, const double *mean,
    const double *rstd, const struct coefficients *by)
{
	const size_t stride = c->rows * v.feature * v.inner;
	const bool plain = NAME(columns_plain)(c, mean, rstd);
	double m[COLUMNS_MAX] LINE_ALIGNED, by_g[COLUMNS_MAX] LINE_ALIGNED, by_x[COLUMNS_MAX] LINE_ALIGNED;
	double constant[COLUMNS_MAX] LINE_ALIGNED;
	const struct coefficients spread = { by_g, by_x, constant };
	struct NAME(noted) noted = { { 0 }, 0 };
	size_t o, i, width;

	columns_spread(c, mean + c->first, 0, m);
	columns_spread(c, by->by_g + c->first, 0, by_g);
	columns_spread(c, by->by_x + c->first, 0, by_x);
	columns_spread(c, by->constant + c->first, 0, constant);
	for (i = 0; i < columns_width(c, v.outer) && plain; i++)
		constant[i] -= by_x[i] * m[i];
	x += c->first * v.inner;
	g += c->first * v.inner;
	for (o = 0; o < v.outer; o += c->rows, x += stride, g += stride) {
		width = columns_width(c, v.outer - o);
		if (stride > width) {
			fetch(x + AHEAD * stride, width * sizeof(*x));
			fetch(g + AHEAD * stride, width * sizeof(*g));
		}
		NAME(step_backward)(x, g, width, plain, m, &spread, &noted);
	}
	return NAME(noted_finite)(&noted);
}

/*
 * Many features of one value each in a row: each row from its start to its end, for the processor finds that by itself.
 */
static bool
NAME(positions_backward)(const REAL *x, REAL *g, struct norm_view v, size_t first, size_t end, const double *mean,
    const struct coefficients *by)
{
	struct NAME(noted) noted = { { 0 }, 0 };
	size_t o, f, width;

	for (o = 0; o < v.outer; o++, x += v.feature, g += v.feature)
		for (f = first; f < end; f += width) {
			const struct coefficients from = { by->by_g + f, by->by_x + f, by->constant + f };

			width = columns_min(COLUMNS_MAX, end - f);
			NAME(step_backward)(x + f, g + f, width, false, mean + f, &from, &noted);
		}
	return NAME(noted_finite)(&noted);
}

static bool
NAME(columns_backward)(const REAL *x, REAL *g, struct norm_view v, size_t first, size_t end, const double *mean,
    const double *rstd, const struct coefficients *by)
{
	bool finite = true;
	struct columns c;
	size_t f;

	if (v.inner == 1 && v.feature > COLUMNS_MAX / 2)
		return NAME(positions_backward)(x, g, v, first, end, mean, by);
	for (f = first; f < end; f += c.features) {
		c = columns_block(v, f);
		finite &= NAME(block_backward)(x, g, v, &c, mean, rstd, by);
	}
	return finite;
}

/* g = by_g[f] g + by_x[f] (x - mean[f]) + constant[f]. */
static bool
NAME(backward)(const void *tensor, void *gradient, struct norm_view v, const double *mean, const double *rstd,
    const struct coefficients *by)
{
	const REAL *x = tensor;
	REAL *g = gradient;
	struct NAME(noted) noted = { { 0 }, 0 };
	size_t o, f;

	if (v.inner < SHORT_RUN)
		return NAME(columns_backward)(x, g, v, 0, v.feature, mean, rstd, by);
	for (o = 0; o < v.outer; o++)
		for (f = 0; f < v.feature; f++, x += v.inner, g += v.inner) {
			const struct backward_terms t = coefficients_get(by, f);

			NAME(run_backward)(x, g, v.inner, NAME(is_plain)(mean[f], rstd[f]), mean[f], &t, &noted);
		}
	return NAME(noted_finite)(&noted);
}

/*
 * The sums and then the gradients by them, as backward_by_feature() says: feature by feature, so that the second
 * reading comes from the cache, where each has runs of its own. Of the features from `first` to before `end`.
 */
static bool
NAME(backward_part)(const void *tensor, void *gradient, struct norm_view v, size_t first, size_t end, size_t count,
    const double *mean, const double *rstd, const double *weight, double *sum, double *product,
    const struct coefficients *by)
{
	const REAL *x = tensor;
	REAL *g = gradient;
	struct backward_terms t;
	bool finite = true;
	size_t f;

	if (v.inner < SHORT_RUN) {
		NAME(gradients_part)(x, g, v, first, end, mean, rstd, sum, product);
		for (f = first; f < end; f++)
			(void)coefficients_set(by, f, weight, rstd, (double)count, sum, product);
		return NAME(columns_backward)(x, g, v, first, end, mean, rstd, by);
	}
	x += first * v.inner;
	g += first * v.inner;
	for (f = first; f < end; f++, x += v.inner, g += v.inner) {
		NAME(feature_gradients)(x, g, v, mean[f], rstd[f], &sum[f], &product[f]);
		t = coefficients_set(by, f, weight, rstd, (double)count, sum, product);
		finite &= NAME(feature_backward)(x, g, v, mean[f], rstd[f], &t);
	}
	return finite;
}

static void
NAME(clip_backward)(void *gradient, const void *output, size_t count, double limit)
{
	const REAL *y = output;
	REAL *g = gradient;
	double value;
	size_t i;

	for (i = 0; i < count; i++) {
		value = NAME(load)(y[i]);
		if (value > limit || value < -limit)
			g[i] = NAME(store)(0);
	}
}
