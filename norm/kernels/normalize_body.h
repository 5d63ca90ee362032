/* SPDX-License-Identifier: MIT */
/*
 * The forward pass by features: one loop for values that share all four numbers (a long run of a feature), one where
 * each column has its own. Each computes in double in the order of the equation, rounds once, and notes whether the
 * elements written are finite.
 */

/* What was noted of elements as they were stored, in vectors and one by one: 0 while all are finite. */
struct NAME(noted) {
	NAME(wide_excess) lanes;
	BITS one;
};

static inline bool
NAME(noted_finite)(const struct NAME(noted) * noted)
{
	return noted->one == 0 && wide_is_zero(&noted->lanes, sizeof(noted->lanes));
}

/* The numbers that a run shares. */
struct run_by {
	double mean, rstd, weight, bias;
};

static inline struct run_by
run_by_feature(const struct norm_by *by, size_t f)
{
	return (struct run_by){ by->mean[f], by->rstd[f], by->weight != NULL ? by->weight[f] : 1,
		by->bias != NULL ? by->bias[f] : 0 };
}

/* The numbers of each column of a step: the features' own, or spread in `room`. */
struct columns_by {
	const double *mean, *rstd, *weight, *bias;
	double room[4][COLUMNS_MAX] LINE_ALIGNED;
};

/* Of each column: the numbers of the block's features; `others` where `value` is NULL. */
static inline const double *
columns_numbers(const struct columns *c, const double *value, const double *others, double room[COLUMNS_MAX])
{
	if (value == NULL)
		return others;
	if (columns_are_features(c))
		return value + c->first;
	columns_spread(c, value + c->first, room);
	return room;
}

static inline void
columns_by_init(struct columns_by *to, const struct columns *c, const struct norm_by *by)
{
	double(*const room)[COLUMNS_MAX] = to->room;

	to->mean = columns_numbers(c, by->mean, NULL, room[0]);
	to->rstd = columns_numbers(c, by->rstd, NULL, room[1]);
	to->weight = columns_numbers(c, by->weight, kernels_ones, room[2]);
	to->bias = columns_numbers(c, by->bias, kernels_zeros, room[3]);
}

static ALWAYS_INLINE void
NAME(run)(REAL *x, size_t n, struct run_by by, struct NAME(noted) * noted)
{
	struct NAME(noted) seen = *noted;
	size_t i;

	for (i = 0; PUTS_WIDE && i + KERNELS_WIDTH <= n; i += KERNELS_WIDTH) {
		const wide y = (NAME(wide_load)(x + i) - by.mean) * by.rstd * by.weight + by.bias;

		NAME(wide_put)(x + i, y, &seen.lanes);
	}
	for (; i < n; i++) {
		x[i] = NAME(store)((NAME(load)(x[i]) - by.mean) * by.rstd * by.weight + by.bias);
		seen.one |= NAME(excess)(x[i]);
	}
	*noted = seen;
}

/* Normalizes `rows` steps, `stride` elements apart: several side by side, so that a column's numbers are read once. */
static ALWAYS_INLINE void
NAME(steps_inline)(REAL *restrict x, size_t rows, size_t stride, size_t width, const struct columns_by *restrict by,
    struct NAME(noted) * noted)
{
	const double *restrict mean = by->mean, *restrict rstd = by->rstd, *restrict weight = by->weight,
			       *restrict bias = by->bias;
	struct NAME(noted) seen = *noted;
	wide y;
	size_t i, r;

	for (i = 0; PUTS_WIDE && i + KERNELS_WIDTH <= width; i += KERNELS_WIDTH)
		for (r = 0; r < rows; r++) {
			y = NAME(wide_load)(x + r * stride + i) - wide_load_double(mean + i);
			y = y * wide_load_double(rstd + i) * wide_load_double(weight + i) + wide_load_double(bias + i);
			NAME(wide_put)(x + r * stride + i, y, &seen.lanes);
		}
	for (; i < width; i++)
		for (r = 0; r < rows; r++) {
			const double one = NAME(load)(x[r * stride + i]);

			x[r * stride + i] = NAME(store)((one - mean[i]) * rstd[i] * weight[i] + bias[i]);
			seen.one |= NAME(excess)(x[r * stride + i]);
		}
	*noted = seen;
}

/* One step, or COLUMNS_TOGETHER of them. */
static void
NAME(steps_normalized)(
    REAL *x, size_t rows, size_t stride, size_t width, const struct columns_by *by, struct NAME(noted) * noted)
{
	size_t r;

	if (PUTS_WIDE && rows == COLUMNS_TOGETHER)
		NAME(steps_inline)(x, COLUMNS_TOGETHER, stride, width, by, noted);
	else
		for (r = 0; r < rows; r++)
			NAME(steps_inline)(x + r * stride, 1, stride, width, by, noted);
}

/* One block of features of a view with short runs; x and `by` are the whole tensor's. */
static bool
NAME(block)(REAL *x, struct norm_view v, const struct columns *c, const struct norm_by *by)
{
	const size_t full = columns_width(c, v.outer), stride = c->rows * v.feature * v.inner,
		     steps = v.outer / c->rows;
	struct NAME(noted) noted = { { 0 }, 0 };
	struct columns_by numbers;
	size_t step, n;

	columns_by_init(&numbers, c, by);
	x += c->first * v.inner;
	for (step = 0; step < steps; step += n, x += n * stride) {
		n = steps - step >= COLUMNS_TOGETHER ? COLUMNS_TOGETHER : 1;
		NAME(steps_normalized)(x, n, stride, full, &numbers, &noted);
	}
	NAME(steps_normalized)(x, 1, stride, columns_width(c, v.outer % c->rows), &numbers, &noted);
	return NAME(noted_finite)(&noted);
}

static bool
NAME(by_columns)(REAL *x, struct norm_view v, struct norm_part features, const struct norm_by *by)
{
	bool finite = true;
	struct columns c;
	size_t f;

	for (f = features.first; f < features.end; f += c.features) {
		c = columns_block_forward(v, f);
		finite &= NAME(block)(x, v, &c, by);
	}
	return finite;
}

/* Some indices of outer. */
static bool
NAME(by_feature)(const struct norm_pass *p, struct norm_part outer)
{
	const struct norm_view v = { outer.end - outer.first, p->view.feature, p->view.inner };
	const struct norm_by by = p->by;
	REAL *x = (REAL *)p->y + outer.first * v.feature * v.inner;
	struct NAME(noted) noted = { { 0 }, 0 };
	size_t o, f;

	if (v.inner < SHORT_RUN)
		return NAME(by_columns)(x, v, (struct norm_part){ 0, v.feature }, &by);
	for (o = 0; o < v.outer; o++)
		for (f = 0; f < v.feature; f++, x += v.inner)
			NAME(run)(x, v.inner, run_by_feature(&by, f), &noted);
	return NAME(noted_finite)(&noted);
}

/*
 * The runs of a feature by its own moments; x is at the first. The next feature's run, which is read next, lies beside
 * each. No value is farther from the mean than sqrt(n) deviations: where that bound fits REAL, no element is checked.
 */
static bool
NAME(feature)(REAL *x, struct norm_view v, double var, struct run_by by)
{
	const double reach = fabs(by.weight) * sqrt((double)norm_view_count(v)) + fabs(by.bias);
	const bool checked = !(reach < NAME(largest) / 2) || !(by.rstd < 1e150) || !isfinite(var);
	struct NAME(noted) noted = { { 0 }, 0 }, unused = noted;
	size_t o, i, n;

	for (o = 0; o < v.outer; o++, x += v.feature * v.inner)
		for (i = 0; i < v.inner; i += n) {
			n = columns_min(COLUMNS_MAX, v.inner - i);
			fetch(x + i + v.inner, n * sizeof(*x));
			if (checked)
				NAME(run)(x + i, n, by, &noted);
			else
				NAME(run)(x + i, n, by, &unused);
		}
	return NAME(noted_finite)(&noted);
}

/* Moments, then the forward pass by them. Long runs go feature by feature: the second reading comes from the cache. */
static bool
NAME(batch)(const struct norm_pass *p, struct norm_part features)
{
	const struct norm_by by = { p->mean, p->rstd, p->by.weight, p->by.bias };
	const struct norm_view v = p->view;
	const double eps = p->eps;
	REAL *x = p->y;
	bool finite = true;
	size_t f;

	if (v.inner < SHORT_RUN) {
		NAME(moments_of)(x, p, features);
		for (f = features.first; f < features.end; f++)
			p->rstd[f] = 1 / sqrt(p->var[f] + eps);
		return NAME(by_columns)(x, v, features, &by);
	}
	x += features.first * v.inner;
	for (f = features.first; f < features.end; f++, x += v.inner) {
		(void)NAME(feature_moments)(x, v, NULL, &p->mean[f], NULL, &p->var[f]);
		p->rstd[f] = 1 / sqrt(p->var[f] + eps);
		finite &= NAME(feature)(x, v, p->var[f], run_by_feature(&by, f));
	}
	return finite;
}

/* The limit, rounded to REAL, may lie beyond it by half a last place. A NaN stays a NaN. */
static bool
NAME(clip)(const struct norm_pass *p, struct norm_part elements)
{
	const double limit = p->limit;
	REAL *x = p->y;
	double value;
	size_t i;

	for (i = elements.first; i < elements.end; i++) {
		value = NAME(load)(x[i]);
		value = value > limit ? limit : value;
		x[i] = NAME(store)(value < -limit ? -limit : value);
	}
	return true;
}
