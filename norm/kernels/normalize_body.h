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

/* The numbers of each column of a step. */
struct columns_by {
	double mean[COLUMNS_MAX] LINE_ALIGNED, rstd[COLUMNS_MAX] LINE_ALIGNED, weight[COLUMNS_MAX] LINE_ALIGNED,
	    bias[COLUMNS_MAX] LINE_ALIGNED;
};

static inline void
columns_by_init(struct columns_by *to, const struct columns *c, const struct norm_by *by)
{
	columns_spread(c, by->mean + c->first, 0, to->mean);
	columns_spread(c, by->rstd + c->first, 1, to->rstd);
	columns_spread(c, by->weight != NULL ? by->weight + c->first : NULL, 1, to->weight);
	columns_spread(c, by->bias != NULL ? by->bias + c->first : NULL, 0, to->bias);
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

/* A step of columns, each with numbers of its own. */
static void
NAME(step)(REAL *restrict x, size_t n, const struct columns_by *restrict by, struct NAME(noted) * noted)
{
	const double *mean = by->mean, *rstd = by->rstd, *weight = by->weight, *bias = by->bias;
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

/* One block of features of a view with short runs; x and `by` are the whole tensor's. */
static bool
NAME(block)(REAL *x, struct norm_view v, const struct columns *c, const struct norm_by *by)
{
	const size_t stride = c->rows * v.feature * v.inner;
	struct NAME(noted) noted = { { 0 }, 0 };
	struct columns_by numbers;
	size_t o;

	columns_by_init(&numbers, c, by);
	x += c->first * v.inner;
	for (o = 0; o < v.outer; o += c->rows, x += stride) {
		if (stride > columns_width(c, c->rows))
			fetch(x + AHEAD * stride, columns_width(c, c->rows) * sizeof(*x));
		NAME(step)(x, columns_width(c, v.outer - o), &numbers, &noted);
	}
	return NAME(noted_finite)(&noted);
}

static bool
NAME(by_columns)(REAL *x, struct norm_view v, struct norm_part features, const struct norm_by *by)
{
	bool finite = true;
	struct columns c;
	size_t f;

	for (f = features.first; f < features.end; f += c.features) {
		c = columns_block(v, f);
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
