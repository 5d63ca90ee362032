/* SPDX-License-Identifier: MIT */
/*
 * The forward pass by rows, likewise: where mean and rstd are the row's but weight and bias the position's; included
 * after norm/kernels/normalize_body.h.
 */

/* A stretch of one row. */
static void
NAME(stretch)(REAL *restrict x, size_t n, double mean, double rstd, const double *restrict weight,
    const double *restrict bias, struct NAME(noted) * noted)
{
	struct NAME(noted) seen = *noted;
	wide y;
	size_t i;

	for (i = 0; PUTS_WIDE && i + KERNELS_WIDTH <= n; i += KERNELS_WIDTH) {
		y = (NAME(wide_load)(x + i) - mean) * rstd;
		NAME(wide_put)(x + i, y * wide_load_double(weight + i) + wide_load_double(bias + i), &seen.lanes);
	}
	for (; i < n; i++) {
		x[i] = NAME(store)((NAME(load)(x[i]) - mean) * rstd * weight[i] + bias[i]);
		seen.one |= NAME(excess)(x[i]);
	}
	*noted = seen;
}

/*
 * The same from what is left of a row's elements when a shift was subtracted from them; `offset` is how far the mean is
 * from that.
 */
static ALWAYS_INLINE void
NAME(stretch_kept)(const double *restrict d, REAL *restrict x, size_t n, double offset, double rstd,
    const double *restrict weight, const double *restrict bias, struct NAME(noted) * noted)
{
	struct NAME(noted) seen = *noted;
	wide y;
	size_t i;

	for (i = 0; PUTS_WIDE && i + KERNELS_WIDTH <= n; i += KERNELS_WIDTH) {
		y = (wide_load_double(d + i) - offset) * rstd;
		NAME(wide_put)(x + i, y * wide_load_double(weight + i) + wide_load_double(bias + i), &seen.lanes);
	}
	for (; i < n; i++) {
		x[i] = NAME(store)((d[i] - offset) * rstd * weight[i] + bias[i]);
		seen.one |= NAME(excess)(x[i]);
	}
	*noted = seen;
}

/*
 * What all rows share: `id` stands in for a weight or bias that is NULL, `reach` bounds |y| where the variance is a
 * usual number.
 */
struct NAME(row_terms) {
	size_t size;
	const double *weight;
	const double *bias;
	const struct identity *id;
	double eps;
	double reach;
};

/* One row, from `kept` unless that is NULL. What lies `ahead` elements on is the next to be summed up. */
static bool
NAME(row)(REAL *x, const double *kept, const struct NAME(row_terms) * t, size_t ahead, double mean, double rstd)
{
	const bool checked = !(t->reach < NAME(largest) / 2) || !(rstd < 1e150);
	struct NAME(noted) noted = { { 0 }, 0 }, unused = noted;
	size_t i, n;

	for (i = 0; i < t->size; i += n) {
		const double *w = t->weight != NULL ? t->weight + i : t->id->weight;
		const double *b = t->bias != NULL ? t->bias + i : t->id->bias;

		n = columns_min(COLUMNS_MAX, t->size - i);
		fetch(x + i + ahead, n * sizeof(*x));
		if (kept == NULL)
			NAME(stretch)(x + i, n, mean, rstd, w, b, &noted);
		else if (checked)
			NAME(stretch_kept)(kept + i, x + i, n, mean, rstd, w, b, &noted);
		else
			NAME(stretch_kept)(kept + i, x + i, n, mean, rstd, w, b, &unused);
	}
	return NAME(noted_finite)(&noted);
}

/*
 * The moments of `n` rows. Of each row either d is kept, which is x less a shift, and `mean` is how far the mean is
 * from that, or it is the mean.
 */
static void
NAME(rows_moments_each)(
    const REAL *x, size_t n, size_t size, bool centered, double *kept, size_t kept_size, double *mean, double *var)
{
	const struct norm_view v = { 1, 1, size };
	double *keep, offset, unused;
	size_t r;

	for (r = 0; r < n; r++) {
		keep = kept != NULL ? kept + r * kept_size : NULL;
		if (centered) {
			offset = NAME(feature_moments)(x + r * size, v, keep, &mean[r], NULL, &var[r]);
			mean[r] = keep != NULL ? offset : mean[r];
		} else {
			mean[r] = 0;
			NAME(feature_sums)(x + r * size, v, 0, keep, &unused, &var[r]);
			var[r] /= (double)size;
		}
	}
}

/*
 * The same of rows of few values, about 0: the sums of all, then what follows from them for all at once. False: about 0
 * was wrong for one of them.
 */
static bool
NAME(rows_moments_few)(
    const REAL *x, size_t n, size_t size, bool centered, double *kept, size_t kept_size, double *mean, double *var)
{
	double d[ROWS_MAX], squares[ROWS_MAX];
	const double count = (double)size;
	size_t r, far = 0;

	for (r = 0; r < n; r++)
		NAME(few_sums)(x + r * size, size, kept + r * kept_size, &d[r], &squares[r]);
	for (r = 0; r < n; r++) {
		mean[r] = 0;
		d[r] = centered ? d[r] : 0;
		far += moments_far(count, d[r], squares[r]);
		moments_finish(count, d[r], squares[r], &mean[r], &var[r]);
	}
	return far == 0;
}

/* What `n` rows are normalized by; see normalize_rows(). Whether it is finite. */
static bool
NAME(rows_moments)(const REAL *x, size_t n, const struct NAME(row_terms) * t, bool centered, double *kept,
    size_t kept_size, double *mean, double *rstd)
{
	uint64_t excess = 0;
	size_t r;

	if (!NARROW || t->size > FEW || kept == NULL ||
	    !NAME(rows_moments_few)(x, n, t->size, centered, kept, kept_size, mean, rstd))
		NAME(rows_moments_each)(x, n, t->size, centered, kept, kept_size, mean, rstd);
	for (r = 0; r < n; r++) {
		/* From rstd it would not show that a variance has overflowed: 0 is finite. */
		excess |= excess_double(rstd[r]);
		rstd[r] = 1 / sqrt(rstd[r] + t->eps);
	}
	return excess == 0;
}

/*
 * As many rows at a time as leave what was read of them in the first-level cache: the moments of all, so that the end
 * of one's sums overlaps with the next one's, then each row. Short ones are kept as doubles between the two; there is
 * nothing to gain for double.
 */
static bool
NAME(rows)(void *elements, size_t rows, size_t size, bool centered, double eps, const double *weight,
    const double *bias, const struct identity *id)
{
	const size_t kept_size = (size + BLOCK - 1) / BLOCK * BLOCK;
	const bool keep = NARROW && kept_size <= ROWS_KEPT / 2;
	const size_t block = columns_min(ROWS_MAX, keep ? ROWS_KEPT / kept_size : 1 + ROWS_KEPT / size);
	struct NAME(row_terms) t = { size, weight, bias, id, eps, 0 };
	double kept[ROWS_KEPT] __attribute__((aligned(64))), *const at_hand = keep ? kept : NULL;
	double mean[ROWS_MAX], rstd[ROWS_MAX];
	REAL *x = elements;
	bool finite = true;
	size_t r, i, n;

	t.reach = largest_magnitude(weight, size, 1) * sqrt((double)size) + largest_magnitude(bias, size, 0);
	for (r = 0; r < rows; r += n) {
		n = columns_min(block, rows - r);
		finite &= NAME(rows_moments)(x, n, &t, centered, at_hand, kept_size, mean, rstd);
		for (i = 0; i < n; i++, x += size)
			finite &= NAME(row)(
			    x, keep ? kept + i * kept_size : NULL, &t, r + n < rows ? n * size : 0, mean[i], rstd[i]);
	}
	return finite;
}

/* By means and rstds that are given. */
static bool
NAME(rows_by)(void *elements, size_t rows, size_t size, const double *mean, const double *rstd, const double *weight,
    const double *bias, const struct identity *id)
{
	const struct NAME(row_terms) t = { size, weight, bias, id, 0, 0 };
	REAL *x = elements;
	bool finite = true;
	size_t r;

	for (r = 0; r < rows; r++, x += size)
		finite &= NAME(row)(x, NULL, &t, 0, mean[r], rstd[r]);
	return finite;
}
