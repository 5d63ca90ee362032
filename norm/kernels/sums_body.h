/* SPDX-License-Identifier: MIT */
/*
 * The sums of the backward pass: of h and of h (x - mean), where h is the gradient g, or g times its weight. They are
 * made as those of moments: along long runs in the same lanes, across short ones column by column. In struct
 * moment_sums `d` is the sum of h and `squares` that of the products; in struct columns_about `first` and `second`.
 */

/*
 * Whether the sums may take x for x - mean and subtract the mean's share at the end. The products are exact in double,
 * and no digits are lost while the mean is no farther from 0 than the values are from one another.
 */
static inline bool
NAME(is_plain)(double mean, double rstd)
{
	return NARROW && mean * mean * rstd * rstd <= 1;
}

/* What a run's sums are taken over. */
struct NAME(run_pair) {
	const REAL *x, *g;
	const double *weight; /* or NULL */
	bool plain;
	double mean;
};

/* The same from element `i` on. */
static ALWAYS_INLINE struct NAME(run_pair) NAME(run_pair_at)(struct NAME(run_pair) run, size_t i)
{
	run.x += i;
	run.g += i;
	run.weight = run.weight != NULL ? run.weight + i : NULL;
	return run;
}

/* Adds n elements, a multiple of BLOCK; the caller has made room in s. */
static ALWAYS_INLINE void
NAME(sum_blocks_inline)(const struct NAME(run_pair) run, size_t n, struct moment_sums *s)
{
	wide sum[VECTORS], product[VECTORS], d, h;
	size_t i;

	EACH_VECTOR(k)
	{
		sum[k] = wide_load_double(s->d.recent + k * KERNELS_WIDTH);
		product[k] = wide_load_double(s->squares.recent + k * KERNELS_WIDTH);
	}
	for (i = 0; i < n; i += BLOCK)
		EACH_VECTOR(k)
		{
			d = NAME(wide_load)(run.x + i + k * KERNELS_WIDTH);
			h = NAME(wide_load)(run.g + i + k * KERNELS_WIDTH);
			if (!run.plain)
				d -= run.mean;
			if (run.weight != NULL)
				h *= wide_load_double(run.weight + i + k * KERNELS_WIDTH);
			sum[k] += h;
			product[k] = run.plain && run.weight == NULL ? wide_add_exact_product(product[k], h, d) :
								       product[k] + h * d;
		}
	EACH_VECTOR(k)
	{
		wide_store(s->d.recent + k * KERNELS_WIDTH, sum[k]);
		wide_store(s->squares.recent + k * KERNELS_WIDTH, product[k]);
	}
}

static void
NAME(sum_blocks)(struct NAME(run_pair) run, size_t n, struct moment_sums *s)
{
	if (run.plain && run.weight == NULL)
		NAME(sum_blocks_inline)((struct NAME(run_pair)){ run.x, run.g, NULL, true, 0 }, n, s);
	else if (run.plain)
		NAME(sum_blocks_inline)((struct NAME(run_pair)){ run.x, run.g, run.weight, true, 0 }, n, s);
	else if (run.weight == NULL)
		NAME(sum_blocks_inline)((struct NAME(run_pair)){ run.x, run.g, NULL, false, run.mean }, n, s);
	else
		NAME(sum_blocks_inline)((struct NAME(run_pair)){ run.x, run.g, run.weight, false, run.mean }, n, s);
}

/* Adds the lanes of one block that the mask selects. */
static void
NAME(sum_block_masked)(struct NAME(run_pair) run, const int64_t *mask, struct moment_sums *s)
{
	wide d, h, sum, product;

	EACH_VECTOR(k)
	{
		const wide_bits bits = lane_mask_vector(mask, k);

		d = NAME(wide_load)(run.x + k * KERNELS_WIDTH) - (run.plain ? 0 : run.mean);
		h = NAME(wide_load)(run.g + k * KERNELS_WIDTH);
		if (run.weight != NULL)
			h *= wide_load_double(run.weight + k * KERNELS_WIDTH);
		sum = wide_load_double(s->d.recent + k * KERNELS_WIDTH) + wide_masked(h, bits);
		product = wide_load_double(s->squares.recent + k * KERNELS_WIDTH) + wide_masked(h * d, bits);
		wide_store(s->d.recent + k * KERNELS_WIDTH, sum);
		wide_store(s->squares.recent + k * KERNELS_WIDTH, product);
	}
}

/* A run that is shorter than a block, as the first lanes of one. */
struct NAME(padded) {
	REAL x[BLOCK], g[BLOCK];
	double weight[BLOCK];
};

static ALWAYS_INLINE void
NAME(pad)(struct NAME(padded) * p, const REAL *x, const REAL *g, const double *weight, size_t n)
{
	*p = (struct NAME(padded)){ 0 };
	memcpy(p->x, x, n * sizeof(*x));
	memcpy(p->g, g, n * sizeof(*g));
	if (weight != NULL)
		memcpy(p->weight, weight, n * sizeof(*weight));
}

static ALWAYS_INLINE void
NAME(sum_short)(struct NAME(run_pair) run, size_t n, struct moment_sums *s)
{
	struct NAME(padded) p;

	NAME(pad)(&p, run.x, run.g, run.weight, n);
	run.x = p.x;
	run.g = p.g;
	run.weight = run.weight != NULL ? p.weight : NULL;
	NAME(sum_block_masked)(run, lane_mask_first(n), s);
}

/* Adds a run of n elements, in the lanes in which NAME(run_sums) adds it. */
static void
NAME(sum_run)(const struct NAME(run_pair) run, size_t n, struct moment_sums *s)
{
	const size_t rest = n % BLOCK, whole = n - rest;
	size_t i, m;

	for (i = 0; i < whole; i += m) {
		m = columns_min(STEPS * BLOCK, whole - i);
		moment_sums_step(s, m / BLOCK);
		NAME(sum_blocks)(NAME(run_pair_at)(run, i), m, s);
	}
	if (rest == 0)
		return;
	moment_sums_step(s, 1);
	if (whole > 0)
		NAME(sum_block_masked)(NAME(run_pair_at)(run, n - BLOCK), lane_mask_last(rest), s);
	else
		NAME(sum_short)(run, n, s);
}

/* The sums of feature f. */
static void
NAME(feature_sums_backward)(const struct norm_pass *p, size_t f)
{
	const struct norm_view v = p->view;
	const size_t stride = v.feature * v.inner;
	const double mean = p->by.mean[f];
	struct NAME(run_pair) run = { p->x, p->y, NULL, NAME(is_plain)(mean, p->by.rstd[f]), mean };
	struct moment_sums s;
	double sum, product;
	size_t o;

	moment_sums_init(&s);
	run = NAME(run_pair_at)(run, f * v.inner);
	for (o = 0; o < v.outer; o++, run.x += stride, run.g += stride) {
		if (o + 1 < v.outer) {
			fetch(run.x + stride, v.inner * sizeof(*run.x));
			fetch(run.g + stride, v.inner * sizeof(*run.g));
		}
		NAME(sum_run)(run, v.inner, &s);
	}
	moment_sums_totals(&s, &sum, &product);
	p->grad_bias[f] = sum;
	p->grad_weight[f] = product - (run.plain ? mean * sum : 0);
}

/*
 * Adds `rows` steps of a block, `stride` elements apart, to its columns' sums. As in NAME(columns_add), memory is
 * fetched where several steps go side by side.
 */
static ALWAYS_INLINE void
NAME(columns_add_gradient_inline)(const REAL *restrict x, const REAL *restrict g, size_t rows, size_t stride,
    size_t width, bool plain, struct columns_about *restrict to)
{
	double *sum = to->first.recent, *product = to->second.recent;
	wide s, p, d, h;
	double one;
	size_t i, r;

	for (i = 0; i + KERNELS_WIDTH <= width; i += KERNELS_WIDTH) {
		s = wide_load_double(sum + i);
		p = wide_load_double(product + i);
		for (r = 0; r < rows; r++) {
			if (rows > 1) {
				__builtin_prefetch(x + (rows + r) * stride + i);
				__builtin_prefetch(g + (rows + r) * stride + i);
			}
			d = NAME(wide_load)(x + r * stride + i);
			h = NAME(wide_load)(g + r * stride + i);
			s += h;
			p = plain ? wide_add_exact_product(p, h, d) : p + h * (d - wide_load_double(to->shift + i));
		}
		wide_store(sum + i, s);
		wide_store(product + i, p);
	}
	for (; i < width; i++)
		for (r = 0; r < rows; r++) {
			one = NAME(load)(g[r * stride + i]);
			sum[i] += one;
			product[i] += one * (NAME(load)(x[r * stride + i]) - (plain ? 0 : to->shift[i]));
		}
}

static void
NAME(columns_add_gradient)(
    const REAL *x, const REAL *g, size_t rows, size_t stride, size_t width, bool plain, struct columns_about *to)
{
	if (plain && rows == COLUMNS_TOGETHER)
		NAME(columns_add_gradient_inline)(x, g, COLUMNS_TOGETHER, stride, width, true, to);
	else if (plain)
		NAME(columns_add_gradient_inline)(x, g, 1, stride, width, true, to);
	else
		NAME(columns_add_gradient_inline)(x, g, rows, stride, width, false, to);
}

/* Whether all features of a block are plain. */
static bool
NAME(columns_plain)(const struct columns *c, const struct norm_by *by)
{
	bool plain = true;
	size_t f;

	for (f = c->first; f < c->first + c->features; f++)
		plain &= NAME(is_plain)(by->mean[f], by->rstd[f]);
	return plain;
}

/* The sums of each feature of a block of a view with short runs. */
static void
NAME(block_sums)(const struct norm_pass *p, const struct columns *c)
{
	const struct norm_view v = p->view;
	const size_t full = columns_width(c, v.outer), stride = c->rows * v.feature * v.inner,
		     steps = v.outer / c->rows;
	const bool plain = NAME(columns_plain)(c, &p->by);
	const REAL *x = (const REAL *)p->x + c->first * v.inner, *g = (const REAL *)p->y + c->first * v.inner;
	struct columns_about s;
	size_t step, n, f;

	columns_about_init(&s, c, p->by.mean + c->first, full);
	for (step = 0; step < steps; step += n, x += n * stride, g += n * stride) {
		n = stride > full && steps - step >= COLUMNS_TOGETHER ? COLUMNS_TOGETHER : 1;
		NAME(columns_add_gradient)(x, g, n, stride, full, plain, &s);
		if ((step + n) % STEPS == 0)
			columns_about_fold(&s, full);
	}
	NAME(columns_add_gradient)(x, g, 1, stride, columns_width(c, v.outer % c->rows), plain, &s);
	columns_about_fold(&s, full);
	column_sums_features(s.first.high, s.first.low, c, p->grad_bias + c->first);
	column_sums_features(s.second.high, s.second.low, c, p->grad_weight + c->first);
	for (f = c->first; f < c->first + c->features; f++)
		p->grad_weight[f] -= plain ? p->by.mean[f] * p->grad_bias[f] : 0;
}

static bool
NAME(sums)(const struct norm_pass *p, struct norm_part features)
{
	struct columns c;
	size_t f;

	if (view_is_long(p->view))
		for (f = features.first; f < features.end; f++)
			NAME(feature_sums_backward)(p, f);
	else
		for (f = features.first; f < features.end; f += c.features) {
			c = columns_block(p->view, f);
			NAME(block_sums)(p, &c);
		}
	return true;
}
