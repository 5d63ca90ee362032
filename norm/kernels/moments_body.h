/* SPDX-License-Identifier: MIT */
/*
 * Moments of features. Long runs, and runs of a view with one index of outer, are summed along inner; other short runs
 * column by column (norm/kernels/columns.h). The sums are those of d = x - shift and d^2, with a shift from the first
 * values. If it was far from the mean, a second reading takes the mean found as shift (docs/MATH.md, rule 2). The sum
 * of d corrects both results for the shift.
 */

/*
 * A shift from the moments of some values: 0, for the fastest sums, unless the mean is farther from 0 than the values
 * are from one another.
 */
static inline double
NAME(shift_of)(double mean, double var)
{
	return NARROW && mean * mean <= var ? 0 : mean;
}

/* The shift from the first n <= BLOCK values of a run. The mean of equal values is exact. */
static double
NAME(first_shift)(const REAL *x, size_t n)
{
	const double first = NAME(load)(x[0]);
	REAL padded[BLOCK] = { 0 };
	struct moment_sums s;
	double mean, var = 0;

	if (n < BLOCK)
		x = memcpy(padded, x, n * sizeof(REAL));
	moment_sums_init(&s);
	NAME(block_masked)(x, lane_mask_first(n), first, NULL, &s);
	mean = first;
	moments_finish((double)n, lanes_tree(s.d.recent), lanes_tree(s.squares.recent), &mean, &var);
	return NAME(shift_of)(mean, var);
}

/*
 * Adds a run. Inlined, as the next two functions, because calls would dominate the time of a short run. The elements
 * behind the last whole block are the last lanes of the block that ends with the run; a run shorter than a block is the
 * first lanes of a padded one. `keep`, if not NULL, takes every d and has room for a block at least.
 */
static ALWAYS_INLINE void
NAME(run_sums)(const REAL *x, size_t n, double shift, double *keep, struct moment_sums *s)
{
	const size_t rest = n % BLOCK, whole = n - rest;
	REAL padded[BLOCK] = { 0 };
	size_t i, m;

	for (i = 0; i < whole; i += m) {
		m = columns_min(STEPS * BLOCK, whole - i);
		moment_sums_step(s, m / BLOCK);
		NAME(blocks)(x + i, m, shift, keep != NULL ? keep + i : NULL, s);
	}
	if (rest == 0)
		return;
	moment_sums_step(s, 1);
	if (whole > 0)
		NAME(block_masked)
	(x + n - BLOCK, lane_mask_last(rest), shift, keep != NULL ? keep + n - BLOCK : NULL, s);
	else NAME(block_masked)(memcpy(padded, x, n * sizeof(REAL)), lane_mask_first(rest), shift, keep, s);
}

/* The sums of one feature, whose first run is at x. */
static ALWAYS_INLINE void
NAME(feature_sums)(const REAL *x, struct norm_view v, double shift, double *keep, double *d, double *squares)
{
	const size_t stride = v.feature * v.inner;
	struct moment_sums s;
	size_t o;

	moment_sums_init(&s);
	for (o = 0; o < v.outer; o++, x += stride) {
		if (o + 1 < v.outer)
			fetch(x + stride, v.inner * sizeof(*x));
		NAME(run_sums)(x, v.inner, shift, keep, &s);
	}
	moment_sums_totals(&s, d, squares);
}

/*
 * The moments of one feature, whose first run is at x. Returns the distance from the shift of the values in `keep` to
 * the mean; *low is what rounding takes from the mean. Both may be NULL.
 */
static ALWAYS_INLINE double
NAME(feature_moments)(const REAL *x, struct norm_view v, double *keep, double *mean, double *low, double *var)
{
	const double n = (double)norm_view_count(v);
	/* With few values, finding a good shift costs as much as finding out that 0 is a bad one. */
	const bool few = norm_view_count(v) <= FEW && NARROW;
	double shift = few ? 0 : NAME(first_shift)(x, columns_min(BLOCK, v.inner)), d, squares;

	NAME(feature_sums)(x, v, shift, keep, &d, &squares);
	if (moments_far(n, d, squares)) {
		shift += d / n;
		NAME(feature_sums)(x, v, shift, keep, &d, &squares);
	}
	*mean = shift;
	moments_finish(n, d, squares, mean, var);
	if (low != NULL)
		*low = mean_low(shift, d / n);
	return d / n;
}

/*
 * Adds `rows` steps of a block, `stride` elements apart: several side by side, so that a sum is read and written once.
 * Their memory is fetched ahead, because the processor does not predict steps that lie far apart.
 */
static ALWAYS_INLINE void
NAME(columns_add)(const REAL *restrict x, size_t rows, size_t stride, size_t width, struct columns_about *restrict to)
{
	double *sum = to->first.recent, *square = to->second.recent;
	wide s, q, d, from;
	double one;
	size_t i, r;

	for (i = 0; i + KERNELS_WIDTH <= width; i += KERNELS_WIDTH) {
		s = wide_load_double(sum + i);
		q = wide_load_double(square + i);
		from = wide_load_double(to->shift + i);
		for (r = 0; r < rows; r++) {
			if (rows > 1)
				__builtin_prefetch(x + (rows + r) * stride + i);
			d = NAME(wide_load)(x + r * stride + i) - from;
			s += d;
			q += d * d;
		}
		wide_store(sum + i, s);
		wide_store(square + i, q);
	}
	for (; i < width; i++)
		for (r = 0; r < rows; r++) {
			one = NAME(load)(x[r * stride + i]) - to->shift[i];
			sum[i] += one;
			square[i] += one * one;
		}
}

/* The sums of each feature of a block, whose first feature is at x, about a shift of its own. */
static void
NAME(columns_sums)(
    const REAL *x, struct norm_view v, const struct columns *c, const double *shift, double *d, double *squares)
{
	const size_t full = columns_width(c, v.outer), stride = c->rows * v.feature * v.inner,
		     steps = v.outer / c->rows;
	struct columns_about sums;
	size_t step, n;

	columns_about_init(&sums, c, shift, full);
	for (step = 0; step < steps; step += n, x += n * stride) {
		n = stride > full && steps - step >= COLUMNS_TOGETHER ? COLUMNS_TOGETHER : 1;
		if (n > 1)
			NAME(columns_add)(x, COLUMNS_TOGETHER, stride, full, &sums);
		else
			NAME(columns_add)(x, 1, stride, full, &sums);
		if ((step + n) % STEPS == 0)
			columns_about_fold(&sums, full);
	}
	NAME(columns_add)(x, 1, stride, columns_width(c, v.outer % c->rows), &sums);
	columns_about_fold(&sums, full);
	column_sums_features(sums.first.high, sums.first.low, c, d);
	column_sums_features(sums.second.high, sums.second.low, c, squares);
}

/* Shifts for the features of a block, from the first indices of outer. */
static void
NAME(columns_shift)(const REAL *x, struct norm_view v, const struct columns *c, double *shift)
{
	struct norm_view some = { columns_min(v.outer, COLUMNS_TOGETHER * c->rows), v.feature, v.inner };
	double d[COLUMNS_MAX], squares[COLUMNS_MAX], var = 0;
	size_t f;

	for (f = 0; f < c->features; f++)
		shift[f] = NAME(load)(x[f * v.inner]);
	NAME(columns_sums)(x, some, c, shift, d, squares);
	for (f = 0; f < c->features; f++) {
		moments_finish((double)norm_view_count(some), d[f], squares[f], &shift[f], &var);
		shift[f] = NAME(shift_of)(shift[f], var);
	}
}

/* The moments of one block of features of x. If any shift was bad, features with a good one get the same sums again. */
static void
NAME(columns_moments)(const REAL *x, const struct norm_pass *p, const struct columns *c)
{
	const struct norm_view v = p->view;
	const double n = (double)norm_view_count(v);
	double shift[COLUMNS_MAX] = { 0 }, d[COLUMNS_MAX], squares[COLUMNS_MAX];
	double *mean = p->mean + c->first, *var = p->var + c->first;
	bool any_far = false, far;
	size_t f;

	x += c->first * v.inner;
	NAME(columns_shift)(x, v, c, shift);
	NAME(columns_sums)(x, v, c, shift, d, squares);
	for (f = 0; f < c->features; f++) {
		far = moments_far(n, d[f], squares[f]);
		shift[f] += far ? d[f] / n : 0;
		any_far |= far;
	}
	if (any_far)
		NAME(columns_sums)(x, v, c, shift, d, squares);
	for (f = 0; f < c->features; f++) {
		mean[f] = shift[f];
		moments_finish(n, d[f], squares[f], &mean[f], &var[f]);
		if (p->mean_low != NULL)
			p->mean_low[c->first + f] = mean_low(shift[f], d[f] / n);
	}
}

/* The moments of features of x. */
static void
NAME(moments_of)(const REAL *x, const struct norm_pass *p, struct norm_part features)
{
	const struct norm_view v = p->view;
	double *low = p->mean_low;
	struct columns c;
	size_t f;

	if (view_is_long(v))
		for (f = features.first; f < features.end; f++)
			(void)NAME(feature_moments)(
			    x + f * v.inner, v, NULL, &p->mean[f], low != NULL ? &low[f] : NULL, &p->var[f]);
	else
		for (f = features.first; f < features.end; f += c.features) {
			c = columns_block(v, f);
			NAME(columns_moments)(x, p, &c);
		}
}

static bool
NAME(moments)(const struct norm_pass *p, struct norm_part features)
{
	NAME(moments_of)(p->x, p, features);
	return true;
}
