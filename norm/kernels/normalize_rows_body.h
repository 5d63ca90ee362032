/* SPDX-License-Identifier: MIT */
/* The forward pass by rows: mean and rstd belong to the row, weight and bias to the position. */

/* What a row is normalized by. */
struct row_by {
	double mean, rstd;
};

/*
 * A stretch of one row: from x, or from the kept differences between x and a shift, which by.mean then lacks, unless
 * `kept` is NULL.
 */
static ALWAYS_INLINE void
NAME(stretch)(const double *restrict kept, REAL *restrict x, size_t n, struct row_by by, const double *restrict weight,
    const double *restrict bias, struct NAME(noted) * noted)
{
	struct NAME(noted) seen = *noted;
	wide y;
	size_t i;

	for (i = 0; PUTS_WIDE && i + KERNELS_WIDTH <= n; i += KERNELS_WIDTH) {
		y = kept != NULL ? wide_load_double(kept + i) : NAME(wide_load)(x + i);
		y = (y - by.mean) * by.rstd;
		NAME(wide_put)(x + i, y * wide_load_double(weight + i) + wide_load_double(bias + i), &seen.lanes);
	}
	for (; i < n; i++) {
		const double one = kept != NULL ? kept[i] : NAME(load)(x[i]);

		x[i] = NAME(store)((one - by.mean) * by.rstd * weight[i] + bias[i]);
		seen.one |= NAME(excess)(x[i]);
	}
	*noted = seen;
}

/* Rows that are normalized together, and what all of them share. */
struct NAME(row_block) {
	size_t size;
	const double *weight, *bias; /* NULL: ones, zeros */
	double eps;
	bool centered;
	double reach; /* bounds |y| where the variance is a usual number */

	double *kept;     /* what is kept of each row, or NULL */
	size_t kept_size; /* doubles of a row */
	double mean[ROWS_MAX], rstd[ROWS_MAX];
};

/* One row, from `kept` unless that is NULL. The row that is summed up next lies `ahead` elements on. */
static bool
NAME(row)(REAL *x, const double *kept, const struct NAME(row_block) * b, size_t ahead, struct row_by by)
{
	const bool checked = !(b->reach < NAME(largest) / 2) || !(by.rstd < 1e150);
	struct NAME(noted) noted = { { 0 }, 0 }, unused = noted;
	size_t i, n;

	for (i = 0; i < b->size; i += n) {
		const double *weight = b->weight != NULL ? b->weight + i : kernels_ones;
		const double *bias = b->bias != NULL ? b->bias + i : kernels_zeros;

		n = columns_min(COLUMNS_MAX, b->size - i);
		fetch(x + i + ahead, n * sizeof(*x));
		if (kept == NULL)
			NAME(stretch)(NULL, x + i, n, by, weight, bias, &noted);
		else if (checked)
			NAME(stretch)(kept + i, x + i, n, by, weight, bias, &noted);
		else
			NAME(stretch)(kept + i, x + i, n, by, weight, bias, &unused);
	}
	return NAME(noted_finite)(&noted);
}

/*
 * The moments of `n` rows; the variances go to b->rstd. If d is kept, which is x minus a shift, b->mean is the mean
 * minus that shift.
 */
static void
NAME(rows_moments_each)(const REAL *x, size_t n, struct NAME(row_block) * b)
{
	const struct norm_view v = { 1, 1, b->size };
	double *keep, offset, unused;
	size_t r;

	for (r = 0; r < n; r++) {
		keep = b->kept != NULL ? b->kept + r * b->kept_size : NULL;
		if (b->centered) {
			offset = NAME(feature_moments)(x + r * v.inner, v, keep, &b->mean[r], NULL, &b->rstd[r]);
			b->mean[r] = keep != NULL ? offset : b->mean[r];
		} else {
			b->mean[r] = 0;
			NAME(feature_sums)(x + r * v.inner, v, 0, keep, &unused, &b->rstd[r]);
			b->rstd[r] /= (double)v.inner;
		}
	}
}

/* The same for rows of few values, about 0: first the sums of all. Returns false if one row is too far from 0. */
static bool
NAME(rows_moments_few)(const REAL *x, size_t n, struct NAME(row_block) * b)
{
	double d[ROWS_MAX], squares[ROWS_MAX];
	const double count = (double)b->size;
	size_t r, far = 0;

	for (r = 0; r < n; r++)
		NAME(few_sums)(x + r * b->size, b->size, b->kept + r * b->kept_size, &d[r], &squares[r]);
	for (r = 0; r < n; r++) {
		b->mean[r] = 0;
		d[r] = b->centered ? d[r] : 0;
		far += moments_far(count, d[r], squares[r]);
		moments_finish(count, d[r], squares[r], &b->mean[r], &b->rstd[r]);
	}
	return far == 0;
}

/* What `n` rows are normalized by. Returns whether it is finite. */
static bool
NAME(rows_moments)(const REAL *x, size_t n, struct NAME(row_block) * b)
{
	uint64_t excess = 0;
	size_t r;

	if (!NARROW || b->size > FEW || b->kept == NULL || !NAME(rows_moments_few)(x, n, b))
		NAME(rows_moments_each)(x, n, b);
	for (r = 0; r < n; r++) {
		/* An overflow of the variance must be noted here: rstd = 0 is finite. */
		excess |= excess_double(b->rstd[r]);
		b->rstd[r] = 1 / sqrt(b->rstd[r] + b->eps);
	}
	return excess == 0;
}

/*
 * As many rows at a time as fit into the first-level cache: first the moments of all, so that the end of one row's sums
 * overlaps with the next row's, then each row. Short rows are kept as doubles in between, unless they are doubles.
 */
static bool
NAME(rows)(const struct norm_pass *p, struct norm_part rows)
{
	const size_t size = p->view.inner, kept_size = (size + BLOCK - 1) / BLOCK * BLOCK;
	const bool keep = NARROW && kept_size <= ROWS_KEPT / 2;
	const size_t most = columns_min(ROWS_MAX, keep ? ROWS_KEPT / kept_size : 1 + ROWS_KEPT / size);
	double kept[ROWS_KEPT] __attribute__((aligned(64)));
	REAL *x = (REAL *)p->y + rows.first * size;
	struct NAME(row_block) b;
	bool finite = true;
	size_t r, i, n;

	b.size = size;
	b.weight = p->by.weight;
	b.bias = p->by.bias;
	b.eps = p->eps;
	b.centered = p->centered;
	b.reach = largest_magnitude(b.weight, size, 1) * sqrt((double)size) + largest_magnitude(b.bias, size, 0);
	b.kept = keep ? kept : NULL;
	b.kept_size = kept_size;
	for (r = rows.first; r < rows.end; r += n) {
		n = columns_min(most, rows.end - r);
		finite &= NAME(rows_moments)(x, n, &b);
		for (i = 0; i < n; i++, x += size) {
			const double *at = keep ? kept + i * kept_size : NULL;
			const size_t ahead = r + n < rows.end ? n * size : 0;

			finite &= NAME(row)(x, at, &b, ahead, (struct row_by){ b.mean[i], b.rstd[i] });
		}
	}
	return finite;
}

static bool
NAME(rows_by)(const struct norm_pass *p, struct norm_part rows)
{
	const size_t size = p->view.inner;
	REAL *x = (REAL *)p->y + rows.first * size;
	struct NAME(row_block) b;
	bool finite = true;
	size_t r;

	b.size = size;
	b.weight = p->by.weight;
	b.bias = p->by.bias;
	b.reach = 0;
	for (r = rows.first; r < rows.end; r++, x += size)
		finite &= NAME(row)(x, NULL, &b, 0, (struct row_by){ p->by.mean[r], p->by.rstd[r] });
	return finite;
}
