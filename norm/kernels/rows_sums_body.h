/* SPDX-License-Identifier: MIT */
/*
 * The sums that the backward pass of a row needs, about 0, in one reading of x and g. They lose no digits while the
 * mean is no farther from 0 than the values are from one another; other rows take the sums of moments_body.h and
 * sums_body.h. At most STEPS additions in a row, as there.
 */

/* The sums of x, x^2, h and h x, where h is g, or g times its weight. */
struct row_sums {
	double d, squares, sum, product;
};

/* The same in the lanes of a block. */
struct NAME(row_lanes) {
	wide d[VECTORS], squares[VECTORS], sum[VECTORS], product[VECTORS];
};

/* Adds n elements, a multiple of BLOCK. */
static ALWAYS_INLINE void
NAME(row_lanes_add)(struct NAME(row_lanes) * s, const REAL *x, const REAL *g, const double *weight, size_t n)
{
	wide d, h;
	size_t i;

	for (i = 0; i < n; i += BLOCK)
		EACH_VECTOR(k)
		{
			d = NAME(wide_load)(x + i + k * KERNELS_WIDTH);
			h = NAME(wide_load)(g + i + k * KERNELS_WIDTH);
			s->d[k] += d;
			s->squares[k] = wide_add_exact_product(s->squares[k], d, d);
			if (weight != NULL)
				h *= wide_load_double(weight + i + k * KERNELS_WIDTH);
			s->sum[k] = wide_plus(h, s->sum[k]);
			s->product[k] =
			    weight == NULL ? wide_add_exact_product(s->product[k], h, d) : s->product[k] + h * d;
		}
}

/* Adds the lanes of one block that the mask selects. */
static ALWAYS_INLINE void
NAME(row_lanes_add_masked)(
    struct NAME(row_lanes) * s, const REAL *x, const REAL *g, const double *weight, const int64_t *mask)
{
	wide d, h;

	EACH_VECTOR(k)
	{
		d = wide_masked(NAME(wide_load)(x + k * KERNELS_WIDTH), lane_mask_vector(mask, k));
		h = NAME(wide_load)(g + k * KERNELS_WIDTH);
		if (weight != NULL)
			h *= wide_load_double(weight + k * KERNELS_WIDTH);
		h = wide_masked(h, lane_mask_vector(mask, k));
		s->d[k] += d;
		s->squares[k] = wide_add_exact_product(s->squares[k], d, d);
		s->sum[k] += h;
		s->product[k] += h * d;
	}
}

static ALWAYS_INLINE struct row_sums
NAME(row_lanes_totals)(const struct NAME(row_lanes) * s)
{
	return (struct row_sums){ wide_tree(s->d), wide_tree(s->squares), wide_tree(s->sum), wide_tree(s->product) };
}

/* The sums of a row shorter than a block, in its first lanes. */
static struct row_sums
NAME(row_sums_short)(const REAL *x, const REAL *g, const double *weight, size_t n)
{
	struct NAME(row_lanes) s = { 0 };
	struct NAME(padded) p;

	NAME(pad)(&p, x, g, weight, n);
	NAME(row_lanes_add_masked)(&s, p.x, p.g, weight != NULL ? p.weight : NULL, lane_mask_first(n));
	return NAME(row_lanes_totals)(&s);
}

/* The sums of a row of at most FEW elements. Those behind its whole blocks are the last lanes of its last block. */
static ALWAYS_INLINE struct row_sums
NAME(row_sums_few)(const REAL *x, const REAL *g, const double *weight, size_t n)
{
	const size_t rest = n % BLOCK, last = n - BLOCK;
	struct NAME(row_lanes) s = { 0 };

	if (n < BLOCK)
		return NAME(row_sums_short)(x, g, weight, n);
	NAME(row_lanes_add)(&s, x, g, weight, n - rest);
	weight = weight != NULL ? weight + last : NULL;
	if (rest > 0)
		NAME(row_lanes_add_masked)(&s, x + last, g + last, weight, lane_mask_last(rest));
	return NAME(row_lanes_totals)(&s);
}

/* The sums of a row, FEW elements at a time. */
static ALWAYS_INLINE struct row_sums
NAME(row_sums)(const REAL *x, const REAL *g, const double *weight, size_t n)
{
	struct sum d = { 0, 0 }, squares = d, sum = d, product = d;
	struct row_sums part;
	size_t i, m;

	if (n <= FEW)
		return NAME(row_sums_few)(x, g, weight, n);
	for (i = 0; i < n; i += m) {
		m = columns_min(FEW, n - i);
		part = NAME(row_sums_few)(x + i, g + i, weight != NULL ? weight + i : NULL, m);
		sum_add(&d, part.d);
		sum_add(&squares, part.squares);
		sum_add(&sum, part.sum);
		sum_add(&product, part.product);
	}
	return (struct row_sums){ sum_total(d), sum_total(squares), sum_total(sum), sum_total(product) };
}
