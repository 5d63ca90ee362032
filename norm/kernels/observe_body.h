/* SPDX-License-Identifier: MIT */
/*
 * The forward pass by features that also sums what it reads: d = x - shift and d^2, with the shift of each feature in
 * p->mean. With p->scratch, whose shifts the caller has chosen, the sums go there: all of d, then all of d^2. Without,
 * shifts are chosen here, and the moments go to p->mean and p->var, while all of a block is near.
 */

/* The shift of at least so many values is chosen by PROBES of them; that of fewer is the first. */
#define PROBED_FROM ((size_t)8)
#define PROBES ((size_t)4)

/* A first value is near 0 if it is at most so many times as far from 0 as from another probe. */
#define NEAR 16.0F

/* Whether the first value of at[k][i] is near 0. Distances of floats, rounded to float, tell as well as exact ones. */
static ALWAYS_INLINE bool
NAME(probed_near)(const REAL *const at[PROBES], size_t i)
{
	const float first = (float)NAME(load)(at[0][i]);
	float farthest = 0, distance;

	for (size_t k = 1; k < PROBES; k++) {
		distance = fabsf((float)NAME(load)(at[k][i]) - first);
		farthest = distance > farthest ? distance : farthest;
	}
	return fabsf(first) <= NEAR * farthest;
}

/* The shifts of some features, whose probes are at[k] and each `inner` elements after those. */
static ALWAYS_INLINE void
NAME(shifts_inline)(
    const REAL *const at[PROBES], bool probed, size_t inner, struct norm_part features, double *restrict shift)
{
	for (size_t f = features.first; f < features.end; f++)
		shift[f] = probed && NAME(probed_near)(at, f * inner) ? 0 : NAME(load)(at[0][f * inner]);
}

/*
 * The shifts, before any value is overwritten: 0 where the first value is near it, because the sums of floats about 0
 * take fewest instructions; else the first value. Equal values are not near 0, unless they are 0. Where 0 saves
 * nothing, nothing is probed.
 */
static bool
NAME(shifts)(const struct norm_pass *p, struct norm_part features)
{
	const size_t n = norm_view_count(p->view), inner = p->view.inner;
	const bool probed = NARROW && (PUTS_WIDE || inner >= SHORT_RUN) && n >= PROBED_FROM && p->count == n;
	const REAL *at[PROBES];

	for (size_t k = 0; k < PROBES; k++)
		at[k] = (const REAL *)p->y + k * n / PROBES / inner * p->view.feature * inner + k * n / PROBES % inner;
	if (probed && inner == 1)
		NAME(shifts_inline)(at, true, 1, features, p->mean);
	else
		NAME(shifts_inline)(at, probed, inner, features, p->mean);
	return true;
}

/* What was summed of some features. */
static inline void
observed_put(const struct norm_pass *p, struct norm_part features, const double *sum, const double *square)
{
	const size_t n = features.end - features.first;

	if (p->scratch == NULL) {
		sums_moments(p->count, sum, square, n, p->mean + features.first, p->var + features.first);
		return;
	}
	memcpy(p->scratch + features.first, sum, n * sizeof(*sum));
	memcpy(p->scratch + p->view.feature + features.first, square, n * sizeof(*square));
}

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

/* A block of features of a view with short runs, while its steps are summed and normalized. */
struct NAME(observed_block) {
	struct columns_by by;
	struct columns_about sums;
	struct NAME(noted) noted;
	bool plain;  /* all shifts are 0, and not spread, and squares are exact: as in NAME(vector_observed) */
	bool begun;  /* else the sums are undefined */
	bool folded; /* else the totals are undefined */
};

/*
 * Sums `rows` steps of a block, `stride` elements apart, and normalizes them: several side by side, so that the numbers
 * of a column are read once.
 */
static ALWAYS_INLINE void
NAME(steps_observed_inline)(
    REAL *restrict x, size_t rows, size_t stride, size_t width, bool plain, struct NAME(observed_block) *restrict b)
{
	const double *restrict mean = b->by.mean, *restrict rstd = b->by.rstd, *restrict weight = b->by.weight,
			       *restrict bias = b->by.bias;
	double *sum = b->sums.first.recent, *square = b->sums.second.recent;
	const double *shift = b->sums.shift, *sum_before = b->begun ? sum : kernels_zeros,
		     *square_before = b->begun ? square : kernels_zeros;
	struct NAME(noted) seen = b->noted;
	wide s, q, v, d;
	double one;
	size_t i, r;

	for (i = 0; i + KERNELS_WIDTH <= width; i += KERNELS_WIDTH) {
		s = wide_load_double(sum_before + i);
		q = wide_load_double(square_before + i);
		for (r = 0; r < rows; r++) {
			v = NAME(wide_load)(x + r * stride + i);
			d = plain ? v : v - wide_load_double(shift + i);
			s = plain ? wide_plus(d, s) : s + d;
			q = plain ? wide_add_exact_product(q, d, d) : q + d * d;
			v = (v - wide_load_double(mean + i)) * wide_load_double(rstd + i);
			v = v * wide_load_double(weight + i) + wide_load_double(bias + i);
			NAME(wide_put)(x + r * stride + i, v, &seen.lanes);
		}
		wide_store(sum + i, s);
		wide_store(square + i, q);
	}
	for (; i < width; i++) {
		sum[i] = sum_before[i];
		square[i] = square_before[i];
		for (r = 0; r < rows; r++) {
			one = NAME(load)(x[r * stride + i]);
			sum[i] += plain ? one : one - shift[i];
			square[i] += plain ? one * one : (one - shift[i]) * (one - shift[i]);
			one = (one - mean[i]) * rstd[i] * weight[i] + bias[i];
			x[r * stride + i] = NAME(store)(one);
			seen.one |= NAME(excess)(x[r * stride + i]);
		}
	}
	b->noted = seen;
}

/* One step of a block, or COLUMNS_TOGETHER of them; the first has the full width. */
static void
NAME(steps_observed)(REAL *x, size_t rows, size_t stride, size_t width, struct NAME(observed_block) * b)
{
	size_t r;

	if (PUTS_WIDE && b->plain && rows == COLUMNS_TOGETHER)
		NAME(steps_observed_inline)(x, COLUMNS_TOGETHER, stride, width, true, b);
	else if (PUTS_WIDE && b->plain)
		NAME(steps_observed_inline)(x, 1, stride, width, true, b);
	else if (PUTS_WIDE && rows == COLUMNS_TOGETHER)
		NAME(steps_observed_inline)(x, COLUMNS_TOGETHER, stride, width, false, b);
	else if (PUTS_WIDE)
		NAME(steps_observed_inline)(x, 1, stride, width, false, b);
	else
		for (r = 0; r < rows; r++) {
			NAME(columns_add)(x + r * stride, 1, stride, width, &b->sums);
			NAME(steps_normalized)(x + r * stride, 1, stride, width, &b->by, &b->noted);
		}
	b->begun = true;
}

/* Takes the sums of the steps since the last fold to the totals, which are not there before the first fold. */
static void
NAME(block_fold)(struct NAME(observed_block) * b, size_t width)
{
	struct column_sums *const both[] = { &b->sums.first, &b->sums.second };

	for (size_t k = 0; k < 2 && !b->folded; k++)
		for (size_t i = 0; i < width; i++)
			both[k]->high[i] = both[k]->low[i] = 0;
	columns_about_fold(&b->sums, width);
	b->folded = true;
}

/* Each feature's sum, in `room` or where it is: without a fold, of the steps alone. */
static inline const double *
observed_features(const struct column_sums *s, bool folded, const struct columns *c, double room[COLUMNS_MAX])
{
	if (columns_are_features(c) && !folded)
		return s->recent;
	column_sums_features(folded ? s->high : s->recent, folded ? s->low : kernels_zeros, c, room);
	return room;
}

/* Chooses the shifts unless p->scratch says that they are there, and begins the block's sums. */
static inline void
NAME(block_begin)(const struct norm_pass *p, const struct columns *c, struct NAME(observed_block) * b)
{
	const double *shift = p->mean + c->first;
	uint64_t shifted = NARROW ? 0 : 1;

	if (p->scratch == NULL)
		(void)NAME(shifts)(p, (struct norm_part){ c->first, c->first + c->features });
	for (size_t f = 0; f < c->features; f++)
		shifted |= double_bits(shift[f]);
	b->plain = PUTS_WIDE && shifted == 0;
	if (!b->plain)
		columns_about_init(&b->sums, c, shift, PUTS_WIDE ? 0 : columns_width(c, p->view.outer));
	columns_by_init(&b->by, c, &p->by);
	b->noted = (struct NAME(noted)){ { 0 }, 0 };
	b->begun = b->folded = false;
}

/* One block of features of a view with short runs; x is the whole tensor. Small tensors are never folded. */
static bool
NAME(block_observed)(REAL *x, const struct norm_pass *p, const struct columns *c)
{
	const struct norm_view v = p->view;
	const size_t full = columns_width(c, v.outer), stride = c->rows * v.feature * v.inner,
		     steps = v.outer / c->rows;
	double sum[COLUMNS_MAX], square[COLUMNS_MAX];
	struct NAME(observed_block) b;
	size_t step, n;

	NAME(block_begin)(p, c, &b);
	x += c->first * v.inner;
	for (step = 0; step < steps; step += n, x += n * stride) {
		n = steps - step >= COLUMNS_TOGETHER ? COLUMNS_TOGETHER : 1;
		if (step > 0 && step % STEPS == 0)
			NAME(block_fold)(&b, full);
		NAME(steps_observed)(x, n, stride, full, &b);
	}
	NAME(steps_observed)(x, 1, stride, columns_width(c, v.outer % c->rows), &b);
	if (b.folded)
		NAME(block_fold)(&b, full);
	observed_put(p, (struct norm_part){ c->first, c->first + c->features },
	    observed_features(&b.sums.first, b.folded, c, sum), observed_features(&b.sums.second, b.folded, c, square));
	return NAME(noted_finite)(&b.noted);
}

/* One feature of a view with long runs. */
static bool
NAME(long_observed)(const struct norm_pass *p, size_t f)
{
	REAL *x = (REAL *)p->y + f * p->view.inner;
	struct moment_sums s;
	double sum, square;
	bool finite;

	moment_sums_init(&s);
	finite = NAME(feature_observed)(x, p->view, run_by_feature(&p->by, f), p->mean[f], &s);
	moment_sums_totals(&s, &sum, &square);
	observed_put(p, (struct norm_part){ f, f + 1 }, &sum, &square);
	return finite;
}

/* Some features. */
static bool
NAME(observe)(const struct norm_pass *p, struct norm_part features)
{
	bool finite = true;
	struct columns c;
	size_t f;

	if (p->scratch == NULL && p->view.inner >= SHORT_RUN)
		(void)NAME(shifts)(p, features);
	if (p->view.inner < SHORT_RUN)
		for (f = features.first; f < features.end; f += c.features) {
			c = columns_block_forward(p->view, f);
			finite &= NAME(block_observed)(p->y, p, &c);
		}
	else
		for (f = features.first; f < features.end; f++)
			finite &= NAME(long_observed)(p, f);
	return finite;
}
