/*
 * The backward pass by rows, likewise: where mean and rstd are the row's, and weight and bias the position's, by which there are gradients
 * over all rows.
 */

/* What the gradient of a row is made of. */
struct NAME(row_by) {
	double mean, rstd;
	struct backward_terms t;
};

/* The sums of one row, whose moments are of `counted` of its values; `centered`: the mean depends on x. */
static struct NAME(row_by) NAME(row_terms_by)(
    const REAL *x, const REAL *g, size_t size, size_t counted, bool centered, double mean, double rstd, const double *weight)
{
	const bool plain = NAME(is_plain)(mean, rstd);
	struct moment_sums s;
	double sum, product;

	moment_sums_init(&s);
	NAME(run_gradients)(x, g, weight, size, plain, mean, &s);
	moment_sums_totals(&s, &sum, &product);
	product -= plain ? mean * sum : 0;
	return (struct NAME(row_by)){ mean, rstd, backward_terms_of(1, rstd, (double)counted, centered ? sum : 0, product) };
}

/* A stretch of one row: what its positions add to the gradients by weight and bias, then its own gradient. */
static void
NAME(stretch_backward)(const REAL *restrict x, REAL *restrict g, size_t n, const struct NAME(row_by) * by,
    const double *restrict weight, double *restrict grad_weight, double *restrict grad_bias, struct NAME(noted) * noted)
{
	const double mean = by->mean, rstd = by->rstd;
	const struct backward_terms t = by->t;
	double gradient, d;
	BITS excess = noted->one;
	size_t i;

	for (i = 0; i < n; i++) {
		gradient = NAME(load)(g[i]);
		d = NAME(load)(x[i]) - mean;
		grad_weight[i] += gradient * (d * rstd);
		grad_bias[i] += gradient;
		gradient *= weight != NULL ? weight[i] : 1;
		g[i] = NAME(store)(t.by_g * gradient + t.by_x * d + t.constant);
		excess |= NAME(excess)(g[i]);
	}
	noted->one = excess;
}

/* Rows, the same side by side, as far as vectors go: the sums are read and written once for all of them. */
static ALWAYS_INLINE bool
NAME(rows_apply_inline)(const REAL *restrict x, REAL *restrict g, size_t rows, size_t size, const struct NAME(row_by) * by,
    const double *restrict weight, double *restrict grad_weight, double *restrict grad_bias)
{
	const size_t whole = PUTS_WIDE ? size - size % KERNELS_WIDTH : 0;
	struct NAME(noted) noted = { { 0 }, 0 };
	wide h, dw, db, gradient, d;
	size_t i, r, at;

	for (i = 0; i < whole; i += KERNELS_WIDTH) {
		dw = wide_load_double(grad_weight + i);
		db = wide_load_double(grad_bias + i);
		for (r = 0, at = i; r < rows; r++, at += size) {
			__builtin_prefetch(x + at + rows * size); /* the next rows' */
			__builtin_prefetch(g + at + rows * size);
			gradient = NAME(wide_load)(g + at);
			d = NAME(wide_load)(x + at) - by[r].mean;
			dw += gradient * (d * by[r].rstd);
			db += gradient;
			h = weight != NULL ? gradient * wide_load_double(weight + i) : gradient;
			NAME(wide_put)(g + at, by[r].t.by_g * h + by[r].t.by_x * d + by[r].t.constant, &noted.lanes);
		}
		wide_store(grad_weight + i, dw);
		wide_store(grad_bias + i, db);
	}
	for (r = 0, at = whole; r < rows; r++, at += size)
		NAME(stretch_backward)
	(x + at, g + at, size - whole, &by[r], weight != NULL ? weight + whole : NULL, grad_weight + whole, grad_bias + whole,
	    &noted);
	return NAME(noted_finite)(&noted);
}

/* At most ROWS_TOGETHER rows by given moments, see backward_rows(). `counted` NULL: all values count. */
static bool
NAME(rows_backward)(const void *tensor, void *gradient, size_t rows, size_t size, const size_t *counted, bool centered,
    const double *mean, const double *rstd, const double *weight, double *grad_weight, double *grad_bias)
{
	struct NAME(row_by) by[ROWS_TOGETHER];
	const REAL *x = tensor;
	REAL *g = gradient;
	size_t r;

	for (r = 0; r < rows; r++)
		by[r] = NAME(row_terms_by)(
		    x + r * size, g + r * size, size, counted != NULL ? counted[r] : size, centered, mean[r], rstd[r], weight);
	if (rows == ROWS_TOGETHER && weight != NULL)
		return NAME(rows_apply_inline)(x, g, ROWS_TOGETHER, size, by, weight, grad_weight, grad_bias);
	if (weight != NULL)
		return NAME(rows_apply_inline)(x, g, rows, size, by, weight, grad_weight, grad_bias);
	return NAME(rows_apply_inline)(x, g, rows, size, by, NULL, grad_weight, grad_bias);
}
