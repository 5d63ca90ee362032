/*
 * Moments of a tensor of REAL (norm/element.h); included once for each by norm/kernels_body.h, without a guard, after one of
 * norm/moments_direct.h and norm/moments_wide.h, which sum up a chunk of a run.
 *
 * Long runs, and those of one row each, are summed along inner; other short ones column by column (norm/columns.h). Both read
 * the tensor twice, a feature's (or a block of features') second pass right after its first, so that it often comes from
 * the cache.
 *
 * Pass 1 adds up x - x[0], pass 2 the deviations d from the mean of pass 1 and their squares. The sum of d, which would be 0
 * in exact arithmetic, then corrects both results: the variance as Chan, Golub and LeVeque have it, and the mean's last
 * digits.
 */

/* A run, chunk by chunk, added to s. */
static void
NAME(run_sum)(const REAL *x, size_t n, double shift, struct sum *s)
{
	double lane[LANES];
	size_t i;

	for (i = 0; i < n; i += CHUNK) {
		NAME(chunk_sum)(x + i, columns_min(CHUNK, n - i), shift, lane);
		sum_add(s, sum_lanes(lane));
	}
}

static void
NAME(run_deviations)(const REAL *x, size_t n, double mean, struct sum *s, struct sum *squares)
{
	double lane[LANES], square[LANES];
	size_t i;

	for (i = 0; i < n; i += CHUNK) {
		NAME(chunk_deviations)(x + i, columns_min(CHUNK, n - i), mean, lane, square);
		sum_add(s, sum_lanes(lane));
		sum_add(squares, sum_lanes(square));
	}
}

/* One feature, whose first run is at x. */
static void
NAME(moments_long)(const REAL *x, struct norm_view v, double *mean, double *var)
{
	const size_t stride = v.feature * v.inner;
	const double n = (double)norm_view_count(v), first = NAME(load)(x[0]);
	struct sum all = { 0, 0 }, s = { 0, 0 }, squares = { 0, 0 };
	size_t o;

	for (o = 0; o < v.outer; o++)
		NAME(run_sum)(x + o * stride, v.inner, first, &all);
	*mean = first + sum_total(all) / n;
	for (o = 0; o < v.outer; o++)
		NAME(run_deviations)(x + o * stride, v.inner, *mean, &s, &squares);
	moments_finish(n, sum_total(s), sum_total(squares), mean, var);
}

/* Pass 1 of a block, whose first feature is at x. */
static void
NAME(columns_sum)(
    const REAL *x, struct norm_view v, const struct columns *c, const double *restrict shift, struct column_sums *restrict s)
{
	const size_t full = columns_width(c, v.outer);
	size_t o, i, width, step = 0;

	column_sums_init(s, full);
	for (o = 0; o < v.outer; o += c->rows) {
		width = columns_width(c, v.outer - o);
		for (i = 0; i < width; i++)
			s->recent[i] += NAME(load)(x[i]) - shift[i];
		x += c->rows * v.feature * v.inner;
		if (++step % FOLD_STEPS == 0)
			column_sums_fold(s, full);
	}
	column_sums_fold(s, full);
}

/* Pass 2. */
static void
NAME(columns_deviations)(const REAL *x, struct norm_view v, const struct columns *c, const double *restrict mean,
    struct column_sums *restrict s, struct column_sums *restrict squares)
{
	const size_t full = columns_width(c, v.outer);
	size_t o, i, width, step = 0;
	double d;

	column_sums_init(s, full);
	column_sums_init(squares, full);
	for (o = 0; o < v.outer; o += c->rows) {
		width = columns_width(c, v.outer - o);
		for (i = 0; i < width; i++) {
			d = NAME(load)(x[i]) - mean[i];
			s->recent[i] += d;
			squares->recent[i] += d * d;
		}
		x += c->rows * v.feature * v.inner;
		if (++step % FOLD_STEPS == 0) {
			column_sums_fold(s, full);
			column_sums_fold(squares, full);
		}
	}
	column_sums_fold(s, full);
	column_sums_fold(squares, full);
}

/* One block of features; x, mean and var are the whole tensor's. */
static void
NAME(moments_short)(const REAL *x, struct norm_view v, const struct columns *c, double *mean, double *var)
{
	const double n = (double)norm_view_count(v);
	double shift[COLUMNS_MAX], d[COLUMNS_MAX], d2[COLUMNS_MAX];
	struct column_sums s, squares;
	size_t f;

	x += c->first * v.inner;
	mean += c->first;
	var += c->first;
	for (f = 0; f < c->features; f++)
		mean[f] = NAME(load)(x[f * v.inner]);
	columns_spread(c, mean, 0, shift);
	NAME(columns_sum)(x, v, c, shift, &s);
	column_sums_features(&s, c, d);
	for (f = 0; f < c->features; f++)
		mean[f] += d[f] / n;
	columns_spread(c, mean, 0, shift);
	NAME(columns_deviations)(x, v, c, shift, &s, &squares);
	column_sums_features(&s, c, d);
	column_sums_features(&squares, c, d2);
	for (f = 0; f < c->features; f++)
		moments_finish(n, d[f], d2[f], &mean[f], &var[f]);
}

/* Mean squares: pass 2 about 0. One feature; one block of features. */
static void
NAME(squares_long)(const REAL *x, struct norm_view v, double *square)
{
	const size_t stride = v.feature * v.inner;
	struct sum s = { 0, 0 }, squares = { 0, 0 };
	size_t o;

	for (o = 0; o < v.outer; o++)
		NAME(run_deviations)(x + o * stride, v.inner, 0, &s, &squares);
	*square = sum_total(squares) / (double)norm_view_count(v);
}

static void
NAME(squares_short)(const REAL *x, struct norm_view v, const struct columns *c, double *square)
{
	static const double zero[COLUMNS_MAX];
	const double n = (double)norm_view_count(v);
	struct column_sums s, squares;
	size_t f;

	square += c->first;
	NAME(columns_deviations)(x + c->first * v.inner, v, c, zero, &s, &squares);
	column_sums_features(&squares, c, square);
	for (f = 0; f < c->features; f++)
		square[f] /= n;
}

static void
NAME(squares)(const void *tensor, struct norm_view v, double *square)
{
	const REAL *x = tensor;
	struct columns c;
	size_t f;

	if (v.inner >= SHORT_RUN || v.outer == 1) {
		for (f = 0; f < v.feature; f++)
			NAME(squares_long)(x + f * v.inner, v, &square[f]);
		return;
	}
	for (f = 0; f < v.feature; f += c.features) {
		c = columns_block(v, f);
		NAME(squares_short)(x, v, &c, square);
	}
}

static void
NAME(moments)(const void *tensor, struct norm_view v, double *mean, double *var)
{
	const REAL *x = tensor;
	struct columns c;
	size_t f;

	if (v.inner >= SHORT_RUN || v.outer == 1) {
		for (f = 0; f < v.feature; f++)
			NAME(moments_long)(x + f * v.inner, v, &mean[f], &var[f]);
		return;
	}
	for (f = 0; f < v.feature; f += c.features) {
		c = columns_block(v, f);
		NAME(moments_short)(x, v, &c, mean, var);
	}
}
