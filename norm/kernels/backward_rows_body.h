/* SPDX-License-Identifier: MIT */
/*
 * The backward pass by rows: mean and rstd belong to the row, weight and bias to the position, and their gradients are
 * sums over all rows.
 */

/* What the gradient of a row is made of. */
struct row_terms {
	double mean, rstd;
	struct backward_terms t;
};

static inline const REAL *
NAME(row_x)(const struct norm_pass *p, size_t r)
{
	return (const REAL *)p->x + r * p->view.inner;
}

static inline REAL *
NAME(row_g)(const struct norm_pass *p, size_t r)
{
	return (REAL *)p->y + r * p->view.inner;
}

/* The terms of row r from its sums. Returns false if the row is too far from 0 for sums about 0. */
static inline bool
NAME(row_terms_of)(const struct norm_pass *p, const struct row_sums *s, struct row_terms *out)
{
	const double n = (double)p->view.inner, d = p->centered ? s->d : 0;
	double mean = 0, var, rstd;

	moments_finish(n, d, s->squares, &mean, &var);
	rstd = 1 / sqrt(var + p->eps);
	*out = (struct row_terms){ mean, rstd,
		backward_terms_of(1, rstd, n, p->centered ? s->sum : 0, s->product - mean * s->sum) };
	return !moments_far(n, d, s->squares) && NAME(is_plain)(mean, rstd);
}

/* The terms of row r from moments about a shift, and sums about the mean. */
static struct row_terms
NAME(row_terms_far)(const struct norm_pass *p, size_t r)
{
	const struct norm_view v = { 1, 1, p->view.inner };
	const REAL *x = NAME(row_x)(p, r);
	struct NAME(run_pair) run = { x, NAME(row_g)(p, r), p->by.weight, false, 0 };
	double mean = 0, var, rstd, sum, product;
	struct moment_sums s;

	if (p->centered) {
		(void)NAME(feature_moments)(x, v, NULL, &mean, NULL, &var);
	} else {
		NAME(feature_sums)(x, v, 0, NULL, &sum, &var);
		var /= (double)v.inner;
	}
	rstd = 1 / sqrt(var + p->eps);
	run.plain = NAME(is_plain)(mean, rstd);
	run.mean = mean;
	moment_sums_init(&s);
	NAME(sum_run)(run, v.inner, &s);
	moment_sums_totals(&s, &sum, &product);
	product -= run.plain ? mean * sum : 0;
	return (struct row_terms){ mean, rstd,
		backward_terms_of(1, rstd, (double)v.inner, p->centered ? sum : 0, product) };
}

/* The sums of at most ROWS_TOGETHER rows, each in one reading of both tensors. */
static void
NAME(narrow_sums)(const struct norm_pass *p, struct norm_part rows, struct row_sums *sums)
{
	const size_t size = p->view.inner, n = rows.end - rows.first;
	const REAL *x = NAME(row_x)(p, rows.first), *g = NAME(row_g)(p, rows.first);
	const double *weight = p->by.weight;

	for (size_t r = 0; r < n; r++)
		sums[r] = weight != NULL ? NAME(row_sums)(x + r * size, g + r * size, weight, size) :
					   NAME(row_sums)(x + r * size, g + r * size, NULL, size);
}

/* The terms of at most ROWS_TOGETHER rows: by the sums of those that lie about 0. */
static void
NAME(rows_terms)(const struct norm_pass *p, struct norm_part rows, struct row_terms *out)
{
	const size_t n = rows.end - rows.first;
	struct row_sums sums[ROWS_TOGETHER];

	if (NARROW)
		NAME(narrow_sums)(p, rows, sums);
	for (size_t r = 0; r < n; r++)
		if (!NARROW || !NAME(row_terms_of)(p, &sums[r], &out[r]))
			out[r] = NAME(row_terms_far)(p, rows.first + r);
}

/*
 * A stretch of one row: what its positions add to the gradients by weight and bias, then its own gradient. Both use g *
 * by_g, which is g * rstd, except for doubles: there this product may overflow while d * rstd does not. Returns the
 * excess.
 */
static BITS
NAME(stretch_backward)(const REAL *restrict x, REAL *restrict g, size_t n, const struct row_terms *by,
    const double *restrict weight, double *restrict grad_weight, double *restrict grad_bias)
{
	const double mean = by->mean;
	const struct backward_terms t = by->t;
	double gradient, scaled, d;
	BITS excess = 0;
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
	return excess;
}

/* Rows side by side, as far as vectors go: the sums of a position are read and written once for all of them. */
static ALWAYS_INLINE bool
NAME(rows_apply)(const struct norm_pass *p, const REAL *restrict x, REAL *restrict g, size_t rows,
    const struct row_terms *by, const double *restrict weight)
{
	const size_t size = p->view.inner, whole = PUTS_WIDE ? size - size % KERNELS_WIDTH : 0;
	double *grad_weight = p->grad_weight, *grad_bias = p->grad_bias;
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
			h += wide_plus(by[r].t.by_x * d, by[r].t.constant - (wide){ 0 });
			NAME(wide_put)(g + at, h, &noted.lanes);
		}
		wide_store(grad_weight + i, dw);
		wide_store(grad_bias + i, db);
	}
	weight = weight != NULL ? weight + whole : NULL;
	for (r = 0, at = whole; r < rows; r++, at += size)
		noted.one |= NAME(stretch_backward)(
		    x + at, g + at, size - whole, &by[r], weight, grad_weight + whole, grad_bias + whole);
	return NAME(noted_finite)(&noted);
}

static bool
NAME(rows_backward)(const struct norm_pass *p, struct norm_part rows)
{
	const size_t n = rows.end - rows.first;
	const REAL *x = NAME(row_x)(p, rows.first);
	REAL *g = NAME(row_g)(p, rows.first);
	struct row_terms by[ROWS_TOGETHER];

	NAME(rows_terms)(p, rows, by);
	if (n == ROWS_TOGETHER && p->by.weight != NULL)
		return NAME(rows_apply)(p, x, g, ROWS_TOGETHER, by, p->by.weight);
	if (p->by.weight != NULL)
		return NAME(rows_apply)(p, x, g, n, by, p->by.weight);
	return NAME(rows_apply)(p, x, g, n, by, NULL);
}
