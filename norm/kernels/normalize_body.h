/* SPDX-License-Identifier: MIT */
/*
 * The forward pass by features over a tensor of REAL, whose bits are BITS (norm/kernels/element.h); included once for
 * each by norm/kernels/kernels_body.h, without a guard.
 *
 * One loop for values that share all four numbers (a long run of a feature), one where each column has its own; those
 * by rows are in norm/kernels/normalize_rows_body.h. Each computes in double, from left to right as the equation
 * stands, rounds once, and notes whether what it wrote is finite.
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

/* A run that shares everything. */
static ALWAYS_INLINE void
NAME(run)(REAL *x, size_t n, double mean, double rstd, double weight, double bias, struct NAME(noted) * noted)
{
	struct NAME(noted) seen = *noted;
	size_t i;

	for (i = 0; PUTS_WIDE && i + KERNELS_WIDTH <= n; i += KERNELS_WIDTH)
		NAME(wide_put)(x + i, (NAME(wide_load)(x + i) - mean) * rstd * weight + bias, &seen.lanes);
	for (; i < n; i++) {
		x[i] = NAME(store)((NAME(load)(x[i]) - mean) * rstd * weight + bias);
		seen.one |= NAME(excess)(x[i]);
	}
	*noted = seen;
}

/* A step of columns, each with numbers of its own. */
static void
NAME(step)(REAL *restrict x, size_t n, const double *restrict mean, const double *restrict rstd,
    const double *restrict weight, const double *restrict bias, struct NAME(noted) * noted)
{
	struct NAME(noted) seen = *noted;
	wide y;
	size_t i;

	for (i = 0; PUTS_WIDE && i + KERNELS_WIDTH <= n; i += KERNELS_WIDTH) {
		y = (NAME(wide_load)(x + i) - wide_load_double(mean + i)) * wide_load_double(rstd + i);
		NAME(wide_put)(x + i, y * wide_load_double(weight + i) + wide_load_double(bias + i), &seen.lanes);
	}
	for (; i < n; i++) {
		x[i] = NAME(store)((NAME(load)(x[i]) - mean[i]) * rstd[i] * weight[i] + bias[i]);
		seen.one |= NAME(excess)(x[i]);
	}
	*noted = seen;
}

/* One block of features of a view with short runs; the arguments are the whole tensor's. */
static bool
NAME(block)(REAL *x, struct norm_view v, const struct columns *c, const double *mean, const double *rstd,
    const double *weight, const double *bias)
{
	const size_t stride = c->rows * v.feature * v.inner;
	double m[COLUMNS_MAX] LINE_ALIGNED, s[COLUMNS_MAX] LINE_ALIGNED, w[COLUMNS_MAX] LINE_ALIGNED,
	    b[COLUMNS_MAX] LINE_ALIGNED;
	struct NAME(noted) noted = { { 0 }, 0 };
	size_t o;

	columns_spread(c, mean + c->first, 0, m);
	columns_spread(c, rstd + c->first, 1, s);
	columns_spread(c, weight != NULL ? weight + c->first : NULL, 1, w);
	columns_spread(c, bias != NULL ? bias + c->first : NULL, 0, b);
	x += c->first * v.inner;
	for (o = 0; o < v.outer; o += c->rows, x += stride) {
		if (stride > columns_width(c, c->rows))
			fetch(x + AHEAD * stride, columns_width(c, c->rows) * sizeof(*x));
		NAME(step)(x, columns_width(c, v.outer - o), m, s, w, b, &noted);
	}
	return NAME(noted_finite)(&noted);
}

/*
 * A feature's runs, by its own moments; x is at its first. Beside each lies one of the next feature, which is read
 * next. No value is farther from the mean than the root of their number, in deviations: where the result of that is a
 * usual number, nobody needs to look at each.
 */
static bool
NAME(feature)(REAL *x, struct norm_view v, double mean, double var, double rstd, double weight, double bias)
{
	const double reach = double_magnitude(weight) * sqrt((double)norm_view_count(v)) + double_magnitude(bias);
	const bool checked = !(reach < NAME(largest) / 2) || !(rstd < 1e150) || !double_is_finite(var);
	struct NAME(noted) noted = { { 0 }, 0 }, unused = noted;
	size_t o, i, n;

	for (o = 0; o < v.outer; o++, x += v.feature * v.inner)
		for (i = 0; i < v.inner; i += n) {
			n = columns_min(COLUMNS_MAX, v.inner - i);
			fetch(x + i + v.inner, n * sizeof(*x));
			if (checked)
				NAME(run)(x + i, n, mean, rstd, weight, bias, &noted);
			else
				NAME(run)(x + i, n, mean, rstd, weight, bias, &unused);
		}
	return NAME(noted_finite)(&noted);
}

static bool
NAME(by_columns)(REAL *x, struct norm_view v, size_t first, size_t end, const double *mean, const double *rstd,
    const double *weight, const double *bias)
{
	bool finite = true;
	struct columns c;
	size_t f;

	for (f = first; f < end; f += c.features) {
		c = columns_block(v, f);
		finite &= NAME(block)(x, v, &c, mean, rstd, weight, bias);
	}
	return finite;
}

static bool
NAME(by_feature)(
    void *tensor, struct norm_view v, const double *mean, const double *rstd, const double *weight, const double *bias)
{
	struct NAME(noted) noted = { { 0 }, 0 };
	REAL *x = tensor;
	size_t o, f;

	if (v.inner < SHORT_RUN)
		return NAME(by_columns)(x, v, 0, v.feature, mean, rstd, weight, bias);
	for (o = 0; o < v.outer; o++)
		for (f = 0; f < v.feature; f++, x += v.inner)
			NAME(run)
	(x, v.inner, mean[f], rstd[f], weight != NULL ? weight[f] : 1, bias != NULL ? bias[f] : 0, &noted);
	return NAME(noted_finite)(&noted);
}

/*
 * Moments, then the forward pass by them: feature by feature, so that the second reading comes from the cache, where
 * each has runs of its own. Of the features from `first` to before `end`, as cut_step() has it.
 */
static bool
NAME(batch_part)(void *tensor, struct norm_view v, size_t first, size_t end, double eps, const double *weight,
    const double *bias, double *mean, double *var, double *rstd)
{
	REAL *x = tensor;
	bool finite = true;
	size_t f;

	if (v.inner < SHORT_RUN) {
		NAME(moments_part)(x, v, first, end, mean, NULL, var);
		for (f = first; f < end; f++)
			rstd[f] = 1 / sqrt(var[f] + eps);
		return NAME(by_columns)(x, v, first, end, mean, rstd, weight, bias);
	}
	x += first * v.inner;
	for (f = first; f < end; f++, x += v.inner) {
		(void)NAME(feature_moments)(x, v, NULL, &mean[f], NULL, &var[f]);
		rstd[f] = 1 / sqrt(var[f] + eps);
		finite &= NAME(feature)(
		    x, v, mean[f], var[f], rstd[f], weight != NULL ? weight[f] : 1, bias != NULL ? bias[f] : 0);
	}
	return finite;
}

/* The limit, rounded to REAL, may lie beyond it by half a last place. A NaN stays one. */
static void
NAME(clip)(void *elements, size_t count, double limit)
{
	REAL *x = elements;
	double value;
	size_t i;

	for (i = 0; i < count; i++) {
		value = NAME(load)(x[i]);
		value = value > limit ? limit : value;
		x[i] = NAME(store)(value < -limit ? -limit : value);
	}
}
