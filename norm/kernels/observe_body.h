/* SPDX-License-Identifier: MIT */
/*
 * The forward pass by features that also sums what it reads: d = x - shift and d^2, with the shift of each feature in
 * p->mean, to p->scratch: all sums of d, then all of d^2.
 */

/* Vectors of a block that are computed together: with more, the numbers that a run shares would leave the registers. */
#define OBSERVED_TOGETHER (VECTORS < 2 ? VECTORS : 2)

/*
 * Adds a vector to its two sums, and normalizes it. `plain`: the shift is 0 and squares are exact in double (NARROW),
 * so that two instructions add it, with the bits that four give.
 */
static ALWAYS_INLINE void
NAME(vector_observed)(
    REAL *x, struct run_by by, bool plain, double shift, wide *sum, wide *square, NAME(wide_excess) * excess)
{
	const wide v = NAME(wide_load)(x), d = plain ? v : v - shift;

	*sum = plain ? wide_plus(d, *sum) : *sum + d;
	*square = plain ? wide_add_exact_product(*square, d, d) : *square + d * d;
	NAME(wide_put)(x, (v - by.mean) * by.rstd * by.weight + by.bias, excess);
}

/* Some vectors of each of n / BLOCK blocks, the first of them at x. */
static ALWAYS_INLINE void
NAME(vectors_observed)(REAL *x, size_t n, struct run_by by, bool plain, double shift, double *sums, double *squares,
    struct NAME(noted) * noted)
{
	wide sum[OBSERVED_TOGETHER], square[OBSERVED_TOGETHER];
	struct NAME(noted) seen = *noted;
	size_t i, k;

	for (k = 0; k < OBSERVED_TOGETHER; k++) {
		sum[k] = wide_load_double(sums + k * KERNELS_WIDTH);
		square[k] = wide_load_double(squares + k * KERNELS_WIDTH);
	}
	for (i = 0; i < n; i += BLOCK)
		for (k = 0; k < OBSERVED_TOGETHER; k++) {
			REAL *at = x + i + k * KERNELS_WIDTH;

			NAME(vector_observed)(at, by, plain, shift, &sum[k], &square[k], &seen.lanes);
		}
	for (k = 0; k < OBSERVED_TOGETHER; k++) {
		wide_store(sums + k * KERNELS_WIDTH, sum[k]);
		wide_store(squares + k * KERNELS_WIDTH, square[k]);
	}
	*noted = seen;
}

/* Sums n elements, a multiple of BLOCK, and normalizes them; the caller has made room in s. */
static ALWAYS_INLINE void
NAME(blocks_observed)(
    REAL *x, size_t n, struct run_by by, bool plain, double shift, struct moment_sums *s, struct NAME(noted) * noted)
{
	for (size_t at = 0; at < BLOCK; at += OBSERVED_TOGETHER * KERNELS_WIDTH)
		NAME(vectors_observed)(x + at, n, by, plain, shift, s->d.recent + at, s->squares.recent + at, noted);
}

/* The n < BLOCK elements after the last whole block of a run, in the first lanes. */
static ALWAYS_INLINE void
NAME(rest_observed)(
    REAL *x, size_t n, struct run_by by, bool plain, double shift, struct moment_sums *s, struct NAME(noted) * noted)
{
	double *sums = s->d.recent, *squares = s->squares.recent, d;
	size_t i;

	for (i = 0; PUTS_WIDE && i + KERNELS_WIDTH <= n; i += KERNELS_WIDTH) {
		wide sum = wide_load_double(sums + i), square = wide_load_double(squares + i);

		NAME(vector_observed)(x + i, by, plain, shift, &sum, &square, &noted->lanes);
		wide_store(sums + i, sum);
		wide_store(squares + i, square);
	}
	for (; i < n; i++) {
		d = NAME(load)(x[i]) - shift;
		sums[i] += d;
		squares[i] += d * d;
		x[i] = NAME(store)((NAME(load)(x[i]) - by.mean) * by.rstd * by.weight + by.bias);
		noted->one |= NAME(excess)(x[i]);
	}
}

/* Sums and normalizes a run. */
static ALWAYS_INLINE void
NAME(run_observed)(
    REAL *x, size_t n, struct run_by by, bool plain, double shift, struct moment_sums *s, struct NAME(noted) * noted)
{
	const size_t rest = n % BLOCK, whole = n - rest;
	size_t i, m;

	for (i = 0; i < whole; i += m) {
		m = columns_min(STEPS * BLOCK, whole - i);
		moment_sums_step(s, m / BLOCK);
		if (PUTS_WIDE) {
			NAME(blocks_observed)(x + i, m, by, plain, shift, s, noted);
		} else {
			NAME(blocks)(x + i, m, shift, NULL, s);
			NAME(run)(x + i, m, by, noted);
		}
	}
	if (rest == 0)
		return;
	moment_sums_step(s, 1);
	NAME(rest_observed)(x + whole, rest, by, plain, shift, s, noted);
}

/* The runs of a feature, the first of which is at x. */
static ALWAYS_INLINE bool
NAME(feature_observed_inline)(
    REAL *x, struct norm_view v, struct run_by by, bool plain, double shift, struct moment_sums *s)
{
	const size_t stride = v.feature * v.inner;
	struct NAME(noted) noted = { { 0 }, 0 };
	size_t o;

	for (o = 0; o < v.outer; o++, x += stride) {
		if (o + 1 < v.outer)
			fetch(x + stride, v.inner * sizeof(*x));
		NAME(run_observed)(x, v.inner, by, plain, shift, s, &noted);
	}
	return NAME(noted_finite)(&noted);
}

static bool
NAME(feature_observed)(REAL *x, struct norm_view v, struct run_by by, double shift, struct moment_sums *s)
{
	if (PUTS_WIDE && NARROW && shift == 0)
		return NAME(feature_observed_inline)(x, v, by, true, 0, s);
	return NAME(feature_observed_inline)(x, v, by, false, shift, s);
}

/* Steps of a block, about shifts unless all are 0 (`plain`). */
static void
NAME(steps_observed)(REAL *x, size_t rows, size_t stride, size_t width, const struct columns_by *by, bool plain,
    struct columns_about *to, struct NAME(noted) * noted)
{
	size_t r;

	if (PUTS_WIDE && plain)
		NAME(steps)(x, rows, stride, width, by, SUMS_PLAIN, to, noted);
	else if (PUTS_WIDE)
		NAME(steps)(x, rows, stride, width, by, SUMS_SHIFTED, to, noted);
	else
		for (r = 0; r < rows; r++) {
			NAME(columns_add)(x + r * stride, 1, stride, width, to);
			NAME(steps_normalized)(x + r * stride, 1, stride, width, by, noted);
		}
}

/* Takes the sums of the steps since the last fold to the totals, which are not there before the first fold. */
static void
observed_fold(struct columns_about *a, size_t width, bool *folded)
{
	struct column_sums *const both[] = { &a->first, &a->second };

	for (size_t k = 0; k < 2 && !*folded; k++)
		for (size_t i = 0; i < width; i++)
			both[k]->high[i] = both[k]->low[i] = 0;
	columns_about_fold(a, width);
	*folded = true;
}

/* Each feature's sum: without a fold, of the steps alone. */
static void
observed_features(const struct column_sums *s, bool folded, const struct columns *c, double *sum)
{
	column_sums_features(folded ? s->high : s->recent, folded ? s->low : kernels_zeros, c, sum);
}

/* One block of features of a view with short runs; x is the whole tensor. Small tensors are never folded. */
static bool
NAME(block_observed)(REAL *x, const struct norm_pass *p, const struct columns *c)
{
	const struct norm_view v = p->view;
	const size_t full = columns_width(c, v.outer), stride = c->rows * v.feature * v.inner,
		     steps = v.outer / c->rows;
	struct NAME(noted) noted = { { 0 }, 0 };
	struct columns_by by;
	struct columns_about sums;
	bool folded = false;
	/* 0: all of the block are plain. */
	uint64_t shifted = NARROW ? 0 : 1;
	size_t step, n;

	columns_by_init(&by, c, &p->by);
	columns_spread(c, p->mean + c->first, sums.shift);
	for (size_t f = 0; f < c->features; f++)
		shifted |= double_bits(p->mean[c->first + f]);
	for (size_t i = 0; i < full; i++)
		sums.first.recent[i] = sums.second.recent[i] = 0;
	x += c->first * v.inner;
	for (step = 0; step < steps; step += n, x += n * stride) {
		n = steps - step >= COLUMNS_TOGETHER ? COLUMNS_TOGETHER : 1;
		if (step > 0 && step % STEPS == 0)
			observed_fold(&sums, full, &folded);
		NAME(steps_observed)(x, n, stride, full, &by, shifted == 0, &sums, &noted);
	}
	NAME(steps_observed)(x, 1, stride, columns_width(c, v.outer % c->rows), &by, shifted == 0, &sums, &noted);
	if (folded)
		observed_fold(&sums, full, &folded);
	observed_features(&sums.first, folded, c, p->scratch + c->first);
	observed_features(&sums.second, folded, c, p->scratch + v.feature + c->first);
	return NAME(noted_finite)(&noted);
}

/* Some features. */
static bool
NAME(observe)(const struct norm_pass *p, struct norm_part features)
{
	const struct norm_view v = p->view;
	REAL *x = p->y;
	bool finite = true;
	struct moment_sums s;
	struct columns c;
	size_t f;

	if (v.inner < SHORT_RUN)
		for (f = features.first; f < features.end; f += c.features) {
			c = columns_block_forward(v, f);
			finite &= NAME(block_observed)(x, p, &c);
		}
	else
		for (f = features.first; f < features.end; f++) {
			moment_sums_init(&s);
			finite &= NAME(feature_observed)(x + f * v.inner, v, run_by_feature(&p->by, f), p->mean[f], &s);
			moment_sums_totals(&s, &p->scratch[f], &p->scratch[v.feature + f]);
		}
	return finite;
}
