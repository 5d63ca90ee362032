/*
 * The backward pass over tensors of REAL, whose bits are BITS (norm/element.h); included once for each by norm/kernels_body.h, without a
 * guard. Sums are made as those of moments are, in their lanes along long runs (`d` of struct moment_sums has those of g, `squares` those of
 * its products with x), column by column across short ones.
 */

/*
 * Whether sums of g x serve for those of g (x - mean), with the mean's part taken away at the end: they are faster, since the products are exact in
 * double, and lose nothing while the mean is no farther from 0 than the values are from one another.
 */
static inline bool
NAME(is_plain)(double mean, double rstd)
{
	return NARROW && mean * mean * rstd * rstd <= 1;
}

/* Adds h and h (x - mean) of n elements, a multiple of BLOCK, for which there is room in s; h is g, times its weight unless that is NULL. */
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
			product[k] = plain && weight == NULL ? wide_add_exact_product(product[k], h, d) : product[k] + h * d;
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
NAME(gradient_block_masked)(
    const REAL *x, const REAL *g, const double *weight, const int64_t *mask, bool plain, double mean, struct moment_sums *s)
{
	wide d, h, sum, product;

	EACH_PART(k)
	{
		d = NAME(wide_load)(x + k * KERNELS_WIDTH) - (plain ? 0 : mean);
		h = NAME(wide_load)(g + k * KERNELS_WIDTH);
		if (weight != NULL)
			h *= wide_load_double(weight + k * KERNELS_WIDTH);
		sum = wide_load_double(s->d.recent + k * KERNELS_WIDTH) + wide_masked(h, mask_part(mask, k));
		product = wide_load_double(s->squares.recent + k * KERNELS_WIDTH) + wide_masked(h * d, mask_part(mask, k));
		wide_store(s->d.recent + k * KERNELS_WIDTH, sum);
		wide_store(s->squares.recent + k * KERNELS_WIDTH, product);
	}
}

/* A run that is shorter than a block: its first lanes. */
static ALWAYS_INLINE void
NAME(gradient_short)(
    const REAL *x, const REAL *g, const double *weight, size_t n, bool plain, double mean, struct moment_sums *s)
{
	REAL x_padded[BLOCK] = { 0 }, g_padded[BLOCK] = { 0 };
	double weight_padded[BLOCK] = { 0 };

	memcpy(x_padded, x, n * sizeof(*x));
	memcpy(g_padded, g, n * sizeof(*g));
	if (weight != NULL)
		memcpy(weight_padded, weight, n * sizeof(*weight));
	NAME(gradient_block_masked)(x_padded, g_padded, weight != NULL ? weight_padded : NULL, mask_first(n), plain, mean, s);
}

/* Adds a run, in the lanes that the moments of norm/moments_body.h puts it in. */
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
 * Adds `rows` steps of a block, `stride` elements apart, to its columns' sums. Where several go side by side memory is asked for as
 * norm/moments_body.h does; where they follow one another the processor finds them.
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
NAME(columns_gradients)(const REAL *x, const REAL *g, size_t rows, size_t stride, size_t width, bool plain, const double *shift,
    double *sum, double *product)
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
	const size_t full = columns_width(c, v.outer), stride = c->rows * v.feature * v.inner, steps = v.outer / c->rows;
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

/* sum[f] = sum g, product[f] = sum g (x - mean[f]), of the features from `first` to before `end`, as cut_step() has it. */
static void
NAME(gradients_part)(const void *tensor, const void *gradient, struct norm_view v, size_t first, size_t end, const double *mean,
    const double *rstd, double *sum, double *product)
{
	const REAL *x = tensor, *g = gradient;
	struct columns c;
	size_t f;

	if (view_is_long(v))
		for (f = first; f < end; f++)
			NAME(feature_gradients)(x + f * v.inner, g + f * v.inner, v, mean[f], rstd[f], &sum[f], &product[f]);
	else
		for (f = first; f < end; f += c.features) {
			c = columns_block(v, f);
			NAME(block_gradients)(x, g, v, &c, mean, rstd, sum, product);
		}
}

/* A run whose coefficients are all the same; where it is plain, they are about 0 and not about the mean. */
static ALWAYS_INLINE void
NAME(run_backward_inline)(const REAL *restrict x, REAL *restrict g, size_t n, bool plain, double mean, double by_g, double by_x,
    double constant, struct NAME(noted) * noted)
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
NAME(run_backward)(
    const REAL *x, REAL *g, size_t n, bool plain, double mean, const struct backward_terms *t, struct NAME(noted) * noted)
{
	if (plain)
		NAME(run_backward_inline)(x, g, n, true, 0, t->by_g, t->by_x, t->constant - t->by_x * mean, noted);
	else
		NAME(run_backward_inline)(x, g, n, false, mean, t->by_g, t->by_x, t->constant, noted);
}

/* A feature's runs; x is at its first. Beside each lies one of the next feature, which is read next. */
static bool
NAME(feature_backward)(const REAL *x, REAL *g, struct norm_view v, double mean, double rstd, const struct backward_terms *t)
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
NAME(step_backward_inline)(const REAL *restrict x, REAL *restrict g, size_t width, bool plain, const double *restrict mean,
    const struct coefficients *by, struct NAME(noted) * noted)
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

/* Many features of one value each in a row: each row from its start to its end, for the processor finds that by itself. */
static bool
NAME(positions_backward)(
    const REAL *x, REAL *g, struct norm_view v, size_t first, size_t end, const double *mean, const struct coefficients *by)
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
 * The sums and then the gradients by them, as backward_by_feature() says: feature by feature, so that the second reading comes from the
 * cache, where each has runs of its own. Of the features from `first` to before `end`.
 */
static bool
NAME(backward_part)(const void *tensor, void *gradient, struct norm_view v, size_t first, size_t end, size_t count,
    const double *mean, const double *rstd, const double *weight, double *sum, double *product, const struct coefficients *by)
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
