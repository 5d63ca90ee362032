/* SPDX-License-Identifier: MIT */
/*
 * The backward pass by rows, likewise: where mean and rstd are the row's, and weight and bias the position's, by which
 * there are gradients over all rows.
 */

/* What the gradient of a row is made of. */
struct NAME(row_by) {
	double mean, rstd;
	struct backward_terms t;
};

/* The sums of one row by its moments; `centered`: the mean depends on x. */
static struct NAME(row_by) NAME(row_terms_by)(
    const REAL *x, const REAL *g, size_t size, bool centered, double mean, double rstd, const double *weight)
{
	const bool plain = NAME(is_plain)(mean, rstd);
	struct moment_sums s;
	double sum, product;

	moment_sums_init(&s);
	NAME(run_gradients)(x, g, weight, size, plain, mean, &s);
	moment_sums_totals(&s, &sum, &product);
	product -= plain ? mean * sum : 0;
	return (
	    struct NAME(row_by)){ mean, rstd, backward_terms_of(1, rstd, (double)size, centered ? sum : 0, product) };
}

/* What a row's sums come to. False: 0 is too far from its mean for them. */
static inline bool
NAME(row_by_sums)(const struct row_sums *s, size_t size, bool centered, double eps, struct NAME(row_by) * by)
{
	const double n = (double)size, d = centered ? s->d : 0;
	double mean = 0, var, rstd;

	moments_finish(n, d, s->squares, &mean, &var);
	rstd = 1 / sqrt(var + eps);
	*by = (struct NAME(row_by)){ mean, rstd,
		backward_terms_of(1, rstd, n, centered ? s->sum : 0, s->product - mean * s->sum) };
	return !moments_far(n, d, s->squares) && NAME(is_plain)(mean, rstd);
}

/* A row by its own moments, measured about a shift. */
static struct NAME(row_by)
    NAME(row_by_moments)(const REAL *x, const REAL *g, size_t size, bool centered, double eps, const double *weight)
{
	const struct norm_view v = { 1, 1, size };
	double mean = 0, var;

	if (centered)
		(void)NAME(feature_moments)(x, v, NULL, &mean, NULL, &var);
	else
		NAME(squares)(x, v, &var);
	return NAME(row_terms_by)(x, g, size, centered, mean, 1 / sqrt(var + eps), weight);
}

/* Rows, at most ROWS_TOGETHER, by their own moments: those that lie about 0 in one reading of both tensors. */
static void
NAME(rows_by_own)(const REAL *x, const REAL *g, size_t rows, size_t size, bool centered, double eps,
    const double *weight, struct NAME(row_by) * by)
{
	struct row_sums sums[ROWS_TOGETHER];
	size_t r;

	for (r = 0; r < rows && NARROW; r++)
		sums[r] = weight != NULL ? NAME(row_sums)(x + r * size, g + r * size, weight, size) :
					   NAME(row_sums)(x + r * size, g + r * size, NULL, size);
	for (r = 0; r < rows; r++)
		if (!NARROW || !NAME(row_by_sums)(&sums[r], size, centered, eps, &by[r]))
			by[r] = NAME(row_by_moments)(x + r * size, g + r * size, size, centered, eps, weight);
}

/*
 * A stretch of one row: what its positions add to the gradients by weight and bias, then its own gradient. Both are
 * made of g times by_g, which is rstd; only of doubles that product may leave the range of double where d times rstd
 * does not.
 */
static void
NAME(stretch_backward)(const REAL *restrict x, REAL *restrict g, size_t n, const struct NAME(row_by) * by,
    const double *restrict weight, double *restrict grad_weight, double *restrict grad_bias, struct NAME(noted) * noted)
{
	const double mean = by->mean;
	const struct backward_terms t = by->t;
	double gradient, scaled, d;
	BITS excess = noted->one;
	size_t i;

	for (i = 0; i < n; i++) {
		gradient = NAME(load)(g[i]);
		scaled = gradient * t.by_g;
		d = NAME(load)(x[i]) - mean;
		grad_weight[i] += NARROW ? scaled * d : gradient * (d * by->rstd);
		grad_bias[i] += gradient;
		g[i] = NAME(store)((weight != NULL ? scaled * weight[i] : scaled) + (t.by_x * d + t.constant));
		excess |= NAME(excess)(g[i]);
	}
	noted->one = excess;
}

/* Rows, the same side by side, as far as vectors go: the sums are read and written once for all of them. */
static ALWAYS_INLINE bool
NAME(rows_apply_inline)(const REAL *restrict x, REAL *restrict g, size_t rows, size_t size,
    const struct NAME(row_by) * by, const double *restrict weight, double *restrict grad_weight,
    double *restrict grad_bias)
{
	const size_t whole = PUTS_WIDE ? size - size % KERNELS_WIDTH : 0;
	struct NAME(noted) noted = { { 0 }, 0 };
	wide h, dw, db, gradient, scaled, d;
	size_t i, r, at;

	for (i = 0; i < whole; i += KERNELS_WIDTH) {
		dw = wide_load_double(grad_weight + i);
		db = wide_load_double(grad_bias + i);
		for (r = 0, at = i; r < rows; r++, at += size) {
			if (i % (64 / sizeof(*x)) == 0) {
				__builtin_prefetch(x + at + rows * size); /* the next rows' */
				__builtin_prefetch(g + at + rows * size);
			}
			gradient = NAME(wide_load)(g + at);
			scaled = gradient * by[r].t.by_g;
			d = NAME(wide_load)(x + at) - by[r].mean;
			dw += NARROW ? scaled * d : gradient * (d * by[r].rstd);
			db = wide_plus(gradient, db);
			h = weight != NULL ? scaled * wide_load_double(weight + i) : scaled;
			NAME(wide_put)
			(g + at, h + wide_plus(by[r].t.by_x * d, by[r].t.constant - (wide){ 0 }), &noted.lanes);
		}
		wide_store(grad_weight + i, dw);
		wide_store(grad_bias + i, db);
	}
	for (r = 0, at = whole; r < rows; r++, at += size)
		NAME(stretch_backward)
	(x + at, g + at, size - whole, &by[r], weight != NULL ? weight + whole : NULL, grad_weight + whole,
	    grad_bias + whole, &noted);
	return NAME(noted_finite)(&noted);
}

/* At most ROWS_TOGETHER rows, see backward_rows(). */
static bool
NAME(rows_backward)(const void *tensor, void *gradient, size_t rows, size_t size, bool centered, double eps,
    const double *weight, double *grad_weight, double *grad_bias)
{
	struct NAME(row_by) by[ROWS_TOGETHER];
	const REAL *x = tensor;
	REAL *g = gradient;

	NAME(rows_by_own)(x, g, rows, size, centered, eps, weight, by);
	if (rows == ROWS_TOGETHER && weight != NULL)
		return NAME(rows_apply_inline)(x, g, ROWS_TOGETHER, size, by, weight, grad_weight, grad_bias);
	if (weight != NULL)
		return NAME(rows_apply_inline)(x, g, rows, size, by, weight, grad_weight, grad_bias);
	return NAME(rows_apply_inline)(x, g, rows, size, by, NULL, grad_weight, grad_bias);
}
