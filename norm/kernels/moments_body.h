/* SPDX-License-Identifier: MIT */
/*
 * Moments of a tensor of REAL (norm/kernels/element.h); included once for each by norm/kernels/kernels_body.h, without
 * a guard, after norm/kernels/moments_blocks_body.h.
 *
 * Long runs, and those of one row each, are summed along inner; other short ones column by column
 * (norm/kernels/columns.h).
 *
 * One pass adds up d = x - shift and d^2, for a shift that is near the mean as far as the first values tell. Where they
 * misled, another pass follows about the mean that the first has found (docs/MATH.md, rule 2). What is subtracted shows
 * in neither result but for rounding: the sum of d corrects both.
 */

/*
 * The shift for a feature of which some values have a mean and a variance: 0, with which sums are the fastest, unless
 * the mean is farther from it than the values are from one another.
 */
static inline double
NAME(shift_of)(double mean, double var)
{
	return NARROW && mean * mean <= var ? 0 : mean;
}

/* From the first n values of a run, at most BLOCK. The mean of equal values is that value. */
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
	NAME(block_masked)(x, mask_first(n), first, NULL, &s);
	mean = first;
	moments_finish((double)n, lanes_tree(s.d.recent), lanes_tree(s.squares.recent), &mean, &var);
	return NAME(shift_of)(mean, var);
}

/*
 * Adds a run. Written into who calls it, as the two that follow: of a short run the calls would be the most. The
 * elements that are left when the blocks are done are the last lanes of the block that ends with the run, or the first
 * of a block, if the run is shorter. `keep` takes every d, with room for a block at least, unless it is NULL.
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
		NAME(block_masked)(x + n - BLOCK, mask_last(rest), shift, keep != NULL ? keep + n - BLOCK : NULL, s);
	else
		NAME(block_masked)(memcpy(padded, x, n * sizeof(REAL)), mask_first(rest), shift, keep, s);
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
 * Its moments, what rounding takes from the mean unless `rest` is NULL, and how far that is from the shift of what was
 * kept.
 */
static ALWAYS_INLINE double
NAME(feature_moments)(const REAL *x, struct norm_view v, double *keep, double *mean, double *rest, double *var)
{
	const double n = (double)norm_view_count(v);
	/* Of few values it costs as much to find a good shift as to find out that 0 was none. */
	const bool few = norm_view_count(v) <= FEW && NARROW;
	double shift = few ? 0 : NAME(first_shift)(x, columns_min(BLOCK, v.inner)), d, squares;

	NAME(feature_sums)(x, v, shift, keep, &d, &squares);
	if (moments_far(n, d, squares)) {
		shift += d / n;
		NAME(feature_sums)(x, v, shift, keep, &d, &squares);
	}
	*mean = shift;
	moments_finish(n, d, squares, mean, var);
	if (rest != NULL)
		*rest = mean_rest(shift, d / n);
	return d / n;
}

/*
 * Adds `rows` steps of a block, `stride` elements apart; columns go side by side, so that a sum is read and written
 * once for all rows. Far apart, they are asked for before; where one step follows the other, the processor finds that
 * by itself.
 */
static ALWAYS_INLINE void
NAME(columns_add)(const REAL *restrict x, size_t rows, size_t stride, size_t width, const double *restrict shift,
    double *restrict sum, double *restrict square)
{
	wide s, q, d, from;
	double one;
	size_t i, r;

	for (i = 0; i + KERNELS_WIDTH <= width; i += KERNELS_WIDTH) {
		s = wide_load_double(sum + i);
		q = wide_load_double(square + i);
		from = wide_load_double(shift + i);
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
			one = NAME(load)(x[r * stride + i]) - shift[i];
			sum[i] += one;
			square[i] += one * one;
		}
}

/* The sums of each feature of a block, whose first is at x, about a shift of its own. */
static void
NAME(columns_sums)(
    const REAL *x, struct norm_view v, const struct columns *c, const double *shift, double *d, double *squares)
{
	const size_t full = columns_width(c, v.outer), stride = c->rows * v.feature * v.inner,
		     steps = v.outer / c->rows;
	double spread[COLUMNS_MAX] LINE_ALIGNED;
	struct column_sums s, q;
	size_t step, n;

	columns_spread(c, shift, 0, spread);
	column_sums_init(&s, full);
	column_sums_init(&q, full);
	for (step = 0; step < steps; step += n, x += n * stride) {
		n = stride > full && steps - step >= COLUMNS_TOGETHER ? COLUMNS_TOGETHER : 1;
		if (n > 1)
			NAME(columns_add)(x, COLUMNS_TOGETHER, stride, full, spread, s.recent, q.recent);
		else
			NAME(columns_add)(x, 1, stride, full, spread, s.recent, q.recent);
		if ((step + n) % FOLD_STEPS == 0) {
			column_sums_fold(&s, full);
			column_sums_fold(&q, full);
		}
	}
	NAME(columns_add)(x, 1, stride, columns_width(c, v.outer % c->rows), spread, s.recent, q.recent);
	column_sums_fold(&s, full);
	column_sums_fold(&q, full);
	column_sums_features(&s, c, d);
	column_sums_features(&q, c, squares);
}

/* Shifts for a block's features from the first indices of outer. */
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

/*
 * One block of features; x, mean, rest (or NULL) and var are the whole tensor's. A feature whose shift was good gets
 * the same sums once more.
 */
static void
NAME(columns_moments)(
    const REAL *x, struct norm_view v, const struct columns *c, double *mean, double *rest, double *var)
{
	const double n = (double)norm_view_count(v);
	double shift[COLUMNS_MAX] = { 0 }, d[COLUMNS_MAX], squares[COLUMNS_MAX];
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
		mean[c->first + f] = shift[f];
		moments_finish(n, d[f], squares[f], &mean[c->first + f], &var[c->first + f]);
		if (rest != NULL)
			rest[c->first + f] = mean_rest(shift[f], d[f] / n);
	}
}

static void
NAME(squares)(const void *tensor, struct norm_view v, double *square)
{
	static const double zero[COLUMNS_MAX];
	const double n = (double)norm_view_count(v);
	const REAL *x = tensor;
	double d[COLUMNS_MAX];
	struct columns c;
	size_t f;

	if (view_is_long(v))
		for (f = 0; f < v.feature; f++)
			NAME(feature_sums)(x + f * v.inner, v, 0, NULL, d, &square[f]);
	else
		for (f = 0; f < v.feature; f += c.features) {
			c = columns_block(v, f);
			NAME(columns_sums)(x + f * v.inner, v, &c, zero, d, &square[f]);
		}
	for (f = 0; f < v.feature; f++)
		square[f] /= n;
}

/* Of the features from `first` to before `end`: as cut_step() has it. */
static void
NAME(moments_part)(
    const void *tensor, struct norm_view v, size_t first, size_t end, double *mean, double *rest, double *var)
{
	const REAL *x = tensor;
	struct columns c;
	size_t f;

	if (view_is_long(v))
		for (f = first; f < end; f++)
			(void)NAME(feature_moments)(
			    x + f * v.inner, v, NULL, &mean[f], rest != NULL ? &rest[f] : NULL, &var[f]);
	else
		for (f = first; f < end; f += c.features) {
			c = columns_block(v, f);
			NAME(columns_moments)(x, v, &c, mean, rest, var);
		}
}

static void
NAME(moments)(const void *tensor, struct norm_view v, double *mean, double *var)
{
	NAME(moments_part)(tensor, v, 0, v.feature, mean, NULL, var);
}
