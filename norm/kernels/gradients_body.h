/* SPDX-License-Identifier: MIT */
/*
 * The sums that the backward pass needs of tensors of REAL, over g and over its products with x; included once for each
 * by norm/kernels/kernels_body.h, without a guard. They are made as those of moments are: along long runs in the same
 * lanes (`d` of struct moment_sums has the sums of g, `squares` those of the products), across short ones column by
 * column.
 */

/*
 * Whether sums of g x serve for those of g (x - mean), with the mean's part taken away at the end: they are faster,
 * since the products are exact in double, and lose nothing while the mean is no farther from 0 than the values are from
 * one another.
 */
static inline bool
NAME(is_plain)(double mean, double rstd)
{
	return NARROW && mean * mean * rstd * rstd <= 1;
}

/*
 * Adds h and h (x - mean) of n elements, a multiple of BLOCK, for which there is room in s; h is g, times its weight
 * unless that is NULL.
 */
static ALWAYS_INLINE void
NAME(gradient_blocks_inline)(
    const REAL *x, const REAL *g, const double *weight, size_t n, bool plain, double mean, struct moment_sums *s)
{
	wide sum[PARTS], product[PARTS], d, h;
	size_t i;

	EACH_PART(k)
	{
		sum[k] = wide_load_double(s->d.recent + k * KERNELS_WIDTH);
		product[k] = wide_load_double(s->squares.recent + k * KERNELS_WIDTH);
	}
	for (i = 0; i < n; i += BLOCK)
		EACH_PART(k)
		{
			d = NAME(wide_load)(x + i + k * KERNELS_WIDTH);
			h = NAME(wide_load)(g + i + k * KERNELS_WIDTH);
			if (!plain)
				d -= mean;
			if (weight != NULL)
				h *= wide_load_double(weight + i + k * KERNELS_WIDTH);
			sum[k] += h;
			product[k] =
			    plain && weight == NULL ? wide_add_exact_product(product[k], h, d) : product[k] + h * d;
		}
	EACH_PART(k)
	{
		wide_store(s->d.recent + k * KERNELS_WIDTH, sum[k]);
		wide_store(s->squares.recent + k * KERNELS_WIDTH, product[k]);
	}
}

static void
NAME(gradient_blocks)(
    const REAL *x, const REAL *g, const double *weight, size_t n, bool plain, double mean, struct moment_sums *s)
{
	if (plain && weight == NULL)
		NAME(gradient_blocks_inline)(x, g, NULL, n, true, 0, s);
	else if (plain)
		NAME(gradient_blocks_inline)(x, g, weight, n, true, 0, s);
	else if (weight == NULL)
		NAME(gradient_blocks_inline)(x, g, NULL, n, false, mean, s);
	else
		NAME(gradient_blocks_inline)(x, g, weight, n, false, mean, s);
}

/* Adds those lanes of one block that the mask has. */
static void
NAME(gradient_block_masked)(const REAL *x, const REAL *g, const double *weight, const int64_t *mask, bool plain,
    double mean, struct moment_sums *s)
{
	wide d, h, sum, product;

	EACH_PART(k)
	{
		d = NAME(wide_load)(x + k * KERNELS_WIDTH) - (plain ? 0 : mean);
		h = NAME(wide_load)(g + k * KERNELS_WIDTH);
		if (weight != NULL)
			h *= wide_load_double(weight + k * KERNELS_WIDTH);
		sum = wide_load_double(s->d.recent + k * KERNELS_WIDTH) + wide_masked(h, mask_part(mask, k));
		product =
		    wide_load_double(s->squares.recent + k * KERNELS_WIDTH) + wide_masked(h * d, mask_part(mask, k));
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
NAME(gradient_short)(
    const REAL *x, const REAL *g, const double *weight, size_t n, bool plain, double mean, struct moment_sums *s)
{
	struct NAME(padded) p;

	NAME(pad)(&p, x, g, weight, n);
	NAME(gradient_block_masked)(p.x, p.g, weight != NULL ? p.weight : NULL, mask_first(n), plain, mean, s);
}

/* Adds a run, in the lanes that the moments of norm/kernels/moments_body.h puts it in. */
static void
NAME(run_gradients)(
    const REAL *x, const REAL *g, const double *weight, size_t n, bool plain, double mean, struct moment_sums *s)
{
	const size_t rest = n % BLOCK, whole = n - rest;
	size_t i, m;

	for (i = 0; i < whole; i += m) {
		m = columns_min(STEPS * BLOCK, whole - i);
		moment_sums_step(s, m / BLOCK);
		NAME(gradient_blocks)(x + i, g + i, weight != NULL ? weight + i : NULL, m, plain, mean, s);
	}
	if (rest == 0)
		return;
	moment_sums_step(s, 1);
	if (whole > 0)
		NAME(gradient_block_masked)
	(x + n - BLOCK, g + n - BLOCK, weight != NULL ? weight + n - BLOCK : NULL, mask_last(rest), plain, mean, s);
	else NAME(gradient_short)(x, g, weight, n, plain, mean, s);
}

/* The sums of one feature, whose first run is at x. */
static void
NAME(feature_gradients)(
    const REAL *x, const REAL *g, struct norm_view v, double mean, double rstd, double *sum, double *product)
{
	const size_t stride = v.feature * v.inner;
	const bool plain = NAME(is_plain)(mean, rstd);
	struct moment_sums s;
	size_t o;

	moment_sums_init(&s);
	for (o = 0; o < v.outer; o++, x += stride, g += stride) {
		if (o + 1 < v.outer) {
			fetch(x + stride, v.inner * sizeof(*x));
			fetch(g + stride, v.inner * sizeof(*g));
		}
		NAME(run_gradients)(x, g, NULL, v.inner, plain, mean, &s);
	}
	moment_sums_totals(&s, sum, product);
	*product -= plain ? mean * *sum : 0;
}

/*
 * Adds `rows` steps of a block, `stride` elements apart, to its columns' sums. Where several go side by side memory is
 * asked for as norm/kernels/moments_body.h does; where they follow one another the processor finds them.
 */
static ALWAYS_INLINE void
NAME(columns_gradients_inline)(const REAL *restrict x, const REAL *restrict g, size_t rows, size_t stride, size_t width,
    bool plain, const double *restrict shift, double *restrict sum, double *restrict product)
{
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
			p = plain ? wide_add_exact_product(p, h, d) : p + h * (d - wide_load_double(shift + i));
		}
		wide_store(sum + i, s);
		wide_store(product + i, p);
	}
	for (; i < width; i++)
		for (r = 0; r < rows; r++) {
			one = NAME(load)(g[r * stride + i]);
			sum[i] += one;
			product[i] += one * (NAME(load)(x[r * stride + i]) - (plain ? 0 : shift[i]));
		}
}

static void
NAME(columns_gradients)(const REAL *x, const REAL *g, size_t rows, size_t stride, size_t width, bool plain,
    const double *shift, double *sum, double *product)
{
	if (plain && rows == COLUMNS_TOGETHER)
		NAME(columns_gradients_inline)(x, g, COLUMNS_TOGETHER, stride, width, true, shift, sum, product);
	else if (plain)
		NAME(columns_gradients_inline)(x, g, 1, stride, width, true, shift, sum, product);
	else
		NAME(columns_gradients_inline)(x, g, rows, stride, width, false, shift, sum, product);
}

/* Whether all features of a block are plain. */
static bool
NAME(columns_plain)(const struct columns *c, const double *mean, const double *rstd)
{
	bool plain = true;
	size_t f;

	for (f = c->first; f < c->first + c->features; f++)
		plain &= NAME(is_plain)(mean[f], rstd[f]);
	return plain;
}

/* The sums of each feature of a block of a view with short runs; the arguments are the whole tensor's. */
static void
NAME(block_gradients)(const REAL *x, const REAL *g, struct norm_view v, const struct columns *c, const double *mean,
    const double *rstd, double *sum, double *product)
{
	const size_t full = columns_width(c, v.outer), stride = c->rows * v.feature * v.inner,
		     steps = v.outer / c->rows;
	const bool plain = NAME(columns_plain)(c, mean, rstd);
	double shift[COLUMNS_MAX] LINE_ALIGNED;
	struct column_sums s, p;
	size_t step, n, f;

	columns_spread(c, mean + c->first, 0, shift);
	column_sums_init(&s, full);
	column_sums_init(&p, full);
	x += c->first * v.inner;
	g += c->first * v.inner;
	for (step = 0; step < steps; step += n, x += n * stride, g += n * stride) {
		n = stride > full && steps - step >= COLUMNS_TOGETHER ? COLUMNS_TOGETHER : 1;
		NAME(columns_gradients)(x, g, n, stride, full, plain, shift, s.recent, p.recent);
		if ((step + n) % FOLD_STEPS == 0) {
			column_sums_fold(&s, full);
			column_sums_fold(&p, full);
		}
	}
	NAME(columns_gradients)(x, g, 1, stride, columns_width(c, v.outer % c->rows), plain, shift, s.recent, p.recent);
	column_sums_fold(&s, full);
	column_sums_fold(&p, full);
	column_sums_features(&s, c, sum + c->first);
	column_sums_features(&p, c, product + c->first);
	for (f = c->first; f < c->first + c->features; f++)
		product[f] -= plain ? mean[f] * sum[f] : 0;
}

/*
 * sum[f] = sum g, product[f] = sum g (x - mean[f]), of the features from `first` to before `end`, as cut_step() has it.
 */
static void
NAME(gradients_part)(const void *tensor, const void *gradient, struct norm_view v, size_t first, size_t end,
    const double *mean, const double *rstd, double *sum, double *product)
{
	const REAL *x = tensor, *g = gradient;
	struct columns c;
	size_t f;

	if (view_is_long(v))
		for (f = first; f < end; f++)
			NAME(feature_gradients)
	(x + f * v.inner, g + f * v.inner, v, mean[f], rstd[f], &sum[f], &product[f]);
	else for (f = first; f < end; f += c.features)
	{
		c = columns_block(v, f);
		NAME(block_gradients)(x, g, v, &c, mean, rstd, sum, product);
	}
}
