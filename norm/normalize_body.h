/*
 * The forward pass over a tensor of REAL, whose bits are BITS (norm/element.h); included once for each by norm/kernels_body.h, without a guard.
 *
 * One loop for values that share all four numbers (a long run of a feature), one where each column has its own, and one for
 * rows, where mean and rstd are the row's but weight and bias the position's. Each computes in double, from left to right as
 * the equation stands, rounds once, and notes whether what it wrote is finite.
 */

/* A run that shares everything. */
static bool
NAME(run)(REAL *x, size_t n, double mean, double rstd, double weight, double bias)
{
	BITS excess = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		x[i] = NAME(store)((NAME(load)(x[i]) - mean) * rstd * weight + bias);
		excess |= NAME(excess)(x[i]);
	}
	return excess == 0;
}

/* A step of columns, each with numbers of its own. */
static bool
NAME(step)(REAL *restrict x, size_t n, const double *restrict mean, const double *restrict rstd, const double *restrict weight,
    const double *restrict bias)
{
	BITS excess = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		x[i] = NAME(store)((NAME(load)(x[i]) - mean[i]) * rstd[i] * weight[i] + bias[i]);
		excess |= NAME(excess)(x[i]);
	}
	return excess == 0;
}

/* A stretch of one row. */
static bool
NAME(stretch)(REAL *restrict x, size_t n, double mean, double rstd, const double *restrict weight, const double *restrict bias)
{
	BITS excess = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		x[i] = NAME(store)((NAME(load)(x[i]) - mean) * rstd * weight[i] + bias[i]);
		excess |= NAME(excess)(x[i]);
	}
	return excess == 0;
}

/* One row; `id` stands in for a weight or bias that is NULL. */
static bool
NAME(row)(
    void *elements, size_t size, double mean, double rstd, const double *weight, const double *bias, const struct identity *id)
{
	REAL *x = elements;
	bool finite = true;
	size_t i, n;

	for (i = 0; i < size; i += n) {
		n = columns_min(COLUMNS_MAX, size - i);
		finite &= NAME(stretch)(
		    x + i, n, mean, rstd, weight != NULL ? weight + i : id->weight, bias != NULL ? bias + i : id->bias);
	}
	return finite;
}

/* One block of features of a view with short runs; the arguments are the whole tensor's. */
static bool
NAME(block)(REAL *x, struct norm_view v, const struct columns *c, const double *mean, const double *rstd, const double *weight,
    const double *bias)
{
	double m[COLUMNS_MAX], s[COLUMNS_MAX], w[COLUMNS_MAX], b[COLUMNS_MAX];
	bool finite = true;
	size_t o;

	columns_spread(c, mean + c->first, 0, m);
	columns_spread(c, rstd + c->first, 1, s);
	columns_spread(c, weight != NULL ? weight + c->first : NULL, 1, w);
	columns_spread(c, bias != NULL ? bias + c->first : NULL, 0, b);
	x += c->first * v.inner;
	for (o = 0; o < v.outer; o += c->rows) {
		finite &= NAME(step)(x, columns_width(c, v.outer - o), m, s, w, b);
		x += c->rows * v.feature * v.inner;
	}
	return finite;
}

static bool
NAME(by_feature)(
    void *tensor, struct norm_view v, const double *mean, const double *rstd, const double *weight, const double *bias)
{
	REAL *x = tensor;
	bool finite = true;
	struct columns c;
	size_t o, f;

	if (v.inner >= SHORT_RUN) {
		for (o = 0; o < v.outer; o++)
			for (f = 0; f < v.feature; f++, x += v.inner)
				finite &= NAME(run)(
				    x, v.inner, mean[f], rstd[f], weight != NULL ? weight[f] : 1, bias != NULL ? bias[f] : 0);
		return finite;
	}
	for (f = 0; f < v.feature; f += c.features) {
		c = columns_block(v, f);
		finite &= NAME(block)(x, v, &c, mean, rstd, weight, bias);
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
