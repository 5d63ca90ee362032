/*
 * The backward pass over tensors of REAL, whose bits are BITS (norm/element.h); included once for each by norm/kernels_body.h, without a
 * guard. Sums are made as those of moments are: in lanes along long runs, column by column across short ones.
 */

/* Sums of g and of g (x - mean) over a chunk: element i counts in lane i mod LANES. */
static LANES_APART void
NAME(chunk_gradients)(
    const REAL *restrict x, const REAL *restrict g, size_t n, double mean, double *restrict sum, double *restrict product)
{
	double lane[LANES] = { 0 }, with_x[LANES] = { 0 };
	double gradient;
	size_t i, k;

	for (i = 0; i + LANES <= n; i += LANES)
		for (k = 0; k < LANES; k++) {
			gradient = NAME(load)(g[i + k]);
			lane[k] += gradient;
			with_x[k] += gradient * (NAME(load)(x[i + k]) - mean);
		}
	memcpy(sum, lane, sizeof(lane));
	memcpy(product, with_x, sizeof(with_x));
	for (; i < n; i++) {
		gradient = NAME(load)(g[i]);
		sum[i % LANES] += gradient;
		product[i % LANES] += gradient * (NAME(load)(x[i]) - mean);
	}
}

static void
NAME(run_gradients)(const REAL *x, const REAL *g, size_t n, double mean, struct sum *s, struct sum *product)
{
	double lane[LANES], with_x[LANES];
	size_t i;

	for (i = 0; i < n; i += CHUNK) {
		NAME(chunk_gradients)(x + i, g + i, columns_min(CHUNK, n - i), mean, lane, with_x);
		sum_add(s, sum_lanes(lane));
		sum_add(product, sum_lanes(with_x));
	}
}

/* One block of features of a view with short runs; the arguments are the whole tensor's. */
static void
NAME(block_gradients)(
    const REAL *x, const REAL *g, struct norm_view v, const struct columns *c, const double *mean, double *sum, double *product)
{
	const size_t full = columns_width(c, v.outer);
	double shift[COLUMNS_MAX], gradient;
	struct column_sums s, with_x;
	size_t o, i, width, step = 0;

	columns_spread(c, mean + c->first, 0, shift);
	x += c->first * v.inner;
	g += c->first * v.inner;
	column_sums_init(&s, full);
	column_sums_init(&with_x, full);
	for (o = 0; o < v.outer; o += c->rows) {
		width = columns_width(c, v.outer - o);
		for (i = 0; i < width; i++) {
			gradient = NAME(load)(g[i]);
			s.recent[i] += gradient;
			with_x.recent[i] += gradient * (NAME(load)(x[i]) - shift[i]);
		}
		x += c->rows * v.feature * v.inner;
		g += c->rows * v.feature * v.inner;
		if (++step % FOLD_STEPS == 0) {
			column_sums_fold(&s, full);
			column_sums_fold(&with_x, full);
		}
	}
	column_sums_fold(&s, full);
	column_sums_fold(&with_x, full);
	column_sums_features(&s, c, sum + c->first);
	column_sums_features(&with_x, c, product + c->first);
}

/* sum[f] = sum g, product[f] = sum g (x - mean[f]). */
static void
NAME(gradients)(const void *tensor, const void *gradient, struct norm_view v, const double *mean, double *sum, double *product)
{
	const REAL *x = tensor, *g = gradient;
	const size_t stride = v.feature * v.inner;
	struct columns c;
	size_t f, o;

	if (v.inner >= SHORT_RUN || v.outer == 1) {
		for (f = 0; f < v.feature; f++) {
			struct sum s = { 0, 0 }, with_x = { 0, 0 };

			for (o = 0; o < v.outer; o++)
				NAME(run_gradients)
			(x + o * stride + f * v.inner, g + o * stride + f * v.inner, v.inner, mean[f], &s, &with_x);
			sum[f] = sum_total(s);
			product[f] = sum_total(with_x);
		}
		return;
	}
	for (f = 0; f < v.feature; f += c.features) {
		c = columns_block(v, f);
		NAME(block_gradients)(x, g, v, &c, mean, sum, product);
	}
}

/* A run whose coefficients are all the same. */
static bool
NAME(run_backward)(const REAL *restrict x, REAL *restrict g, size_t n, double mean, const struct backward_terms *t)
{
	const double by_g = t->by_g, by_x = t->by_x, constant = t->constant;
	BITS excess = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		g[i] = NAME(store)(by_g * NAME(load)(g[i]) + by_x * (NAME(load)(x[i]) - mean) + constant);
		excess |= NAME(excess)(g[i]);
	}
	return excess == 0;
}

/* A step of columns, each with coefficients of its own. */
static bool
NAME(step_backward)(const REAL *restrict x, REAL *restrict g, size_t n, const double *restrict mean,
    const double *restrict by_g, const double *restrict by_x, const double *restrict constant)
{
	BITS excess = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		g[i] = NAME(store)(by_g[i] * NAME(load)(g[i]) + by_x[i] * (NAME(load)(x[i]) - mean[i]) + constant[i]);
		excess |= NAME(excess)(g[i]);
	}
	return excess == 0;
}

static bool
NAME(block_backward)(const REAL *x, REAL *g, struct norm_view v, const struct columns *c, const double *mean,
    const double *by_g, const double *by_x, const double *constant)
{
	double m[COLUMNS_MAX], a[COLUMNS_MAX], b[COLUMNS_MAX], k[COLUMNS_MAX];
	bool finite = true;
	size_t o;

	columns_spread(c, mean + c->first, 0, m);
	columns_spread(c, by_g + c->first, 0, a);
	columns_spread(c, by_x + c->first, 0, b);
	columns_spread(c, constant + c->first, 0, k);
	x += c->first * v.inner;
	g += c->first * v.inner;
	for (o = 0; o < v.outer; o += c->rows) {
		finite &= NAME(step_backward)(x, g, columns_width(c, v.outer - o), m, a, b, k);
		x += c->rows * v.feature * v.inner;
		g += c->rows * v.feature * v.inner;
	}
	return finite;
}

/* g = by_g[f] g + by_x[f] (x - mean[f]) + constant[f]. */
static bool
NAME(backward)(const void *tensor, void *gradient, struct norm_view v, const double *mean, const double *by_g,
    const double *by_x, const double *constant)
{
	const REAL *x = tensor;
	REAL *g = gradient;
	bool finite = true;
	struct columns c;
	size_t o, f;

	if (v.inner >= SHORT_RUN) {
		for (o = 0; o < v.outer; o++)
			for (f = 0; f < v.feature; f++, x += v.inner, g += v.inner) {
				const struct backward_terms t = { by_g[f], by_x[f], constant[f] };

				finite &= NAME(run_backward)(x, g, v.inner, mean[f], &t);
			}
		return finite;
	}
	for (f = 0; f < v.feature; f += c.features) {
		c = columns_block(v, f);
		finite &= NAME(block_backward)(x, g, v, &c, mean, by_g, by_x, constant);
	}
	return finite;
}

/* Sums of h = g weight and of h (x - mean) over a chunk of a row. */
static LANES_APART void
NAME(chunk_weighted)(const REAL *restrict x, const REAL *restrict g, const double *restrict weight, size_t n, double mean,
    double *restrict sum, double *restrict product)
{
	double lane[LANES] = { 0 }, with_x[LANES] = { 0 };
	double h;
	size_t i, k;

	for (i = 0; i + LANES <= n; i += LANES)
		for (k = 0; k < LANES; k++) {
			h = NAME(load)(g[i + k]) * weight[i + k];
			lane[k] += h;
			with_x[k] += h * (NAME(load)(x[i + k]) - mean);
		}
	memcpy(sum, lane, sizeof(lane));
	memcpy(product, with_x, sizeof(with_x));
	for (; i < n; i++) {
		h = NAME(load)(g[i]) * weight[i];
		sum[i % LANES] += h;
		product[i % LANES] += h * (NAME(load)(x[i]) - mean);
	}
}

/* A chunk of a row: what it adds to the gradients of its positions, then its own gradient. */
static bool
NAME(chunk_row_backward)(const REAL *restrict x, REAL *restrict g, const double *restrict weight, size_t n, double mean,
    double rstd, const struct backward_terms *t, double *restrict grad_weight, double *restrict grad_bias)
{
	const double by_g = t->by_g, by_x = t->by_x, constant = t->constant;
	BITS excess = 0;
	double gradient, d;
	size_t i;

	for (i = 0; i < n; i++) {
		gradient = NAME(load)(g[i]);
		d = NAME(load)(x[i]) - mean;
		grad_weight[i] += gradient * (d * rstd);
		grad_bias[i] += gradient;
		g[i] = NAME(store)(by_g * (gradient * weight[i]) + by_x * d + constant);
		excess |= NAME(excess)(g[i]);
	}
	return excess == 0;
}

/* One row, whose moments are of `counted` of its values; `centered`: the mean depends on x. `identity` stands in for a weight that is NULL. */
static bool
NAME(row_backward)(const void *tensor, void *gradient, size_t size, size_t counted, bool centered, double mean, double rstd,
    const double *weight, const struct identity *identity, double *grad_weight, double *grad_bias)
{
	const REAL *x = tensor;
	REAL *g = gradient;
	struct sum s = { 0, 0 }, with_x = { 0, 0 };
	double lane[LANES], products[LANES];
	struct backward_terms t;
	bool finite = true;
	size_t i, n;

	for (i = 0; i < size; i += n) {
		n = columns_min(COLUMNS_MAX, size - i);
		NAME(chunk_weighted)(x + i, g + i, weight != NULL ? weight + i : identity->weight, n, mean, lane, products);
		sum_add(&s, sum_lanes(lane));
		sum_add(&with_x, sum_lanes(products));
	}
	t = backward_terms_of(1, rstd, (double)counted, centered ? sum_total(s) : 0, sum_total(with_x));
	for (i = 0; i < size; i += n) {
		n = columns_min(COLUMNS_MAX, size - i);
		finite &= NAME(chunk_row_backward)(x + i, g + i, weight != NULL ? weight + i : identity->weight, n, mean, rstd,
		    &t, grad_weight + i, grad_bias + i);
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
