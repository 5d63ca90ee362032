/* SPDX-License-Identifier: MIT */
/*
 * What the backward pass of a row needs of it and of its gradient, of REAL, in one reading of both; included once for
 * each type by norm/kernels/kernels_body.h, without a guard. All sums are about 0, which serves while the mean is no
 * farther from 0 than the values are from one another; the sums of other rows are norm/kernels/moments_body.h's and
 * norm/kernels/gradients_body.h's. At most STEPS additions in a row, as there.
 */

/*
 * The four sums of a row in the lanes of a block: of x and x^2, from which its moments come, and of h and h x, as
 * norm/kernels/gradients_body.h has them; all about 0.
 */
struct NAME(row_lanes) {
	wide d[PARTS], squares[PARTS], sum[PARTS], product[PARTS];
};

/* Adds n elements, a multiple of BLOCK. */
static ALWAYS_INLINE void
NAME(row_lanes_add)(struct NAME(row_lanes) * s, const REAL *x, const REAL *g, const double *weight, size_t n)
{
	wide d, h;
	size_t i;

	for (i = 0; i < n; i += BLOCK)
		EACH_PART(k)
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

/* Adds those lanes of one block that the mask has. */
static ALWAYS_INLINE void
NAME(row_lanes_add_masked)(
    struct NAME(row_lanes) * s, const REAL *x, const REAL *g, const double *weight, const int64_t *mask)
{
	wide d, h;

	EACH_PART(k)
	{
		d = wide_masked(NAME(wide_load)(x + k * KERNELS_WIDTH), mask_part(mask, k));
		h = NAME(wide_load)(g + k * KERNELS_WIDTH);
		if (weight != NULL)
			h *= wide_load_double(weight + k * KERNELS_WIDTH);
		h = wide_masked(h, mask_part(mask, k));
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

/* Of a row of less than a block: its first lanes. */
static struct row_sums
NAME(row_sums_short)(const REAL *x, const REAL *g, const double *weight, size_t n)
{
	struct NAME(row_lanes) s = { 0 };
	struct NAME(padded) p;

	NAME(pad)(&p, x, g, weight, n);
	NAME(row_lanes_add_masked)(&s, p.x, p.g, weight != NULL ? p.weight : NULL, mask_first(n));
	return NAME(row_lanes_totals)(&s);
}

/*
 * Of a row of at most FEW elements. What is left behind its whole blocks is the last lanes of the block that ends with
 * it.
 */
static ALWAYS_INLINE struct row_sums
NAME(row_sums_few)(const REAL *x, const REAL *g, const double *weight, size_t n)
{
	const size_t rest = n % BLOCK, last = n - BLOCK;
	struct NAME(row_lanes) s = { 0 };

	if (n < BLOCK)
		return NAME(row_sums_short)(x, g, weight, n);
	NAME(row_lanes_add)(&s, x, g, weight, n - rest);
	if (rest > 0)
		NAME(row_lanes_add_masked)
	(&s, x + last, g + last, weight != NULL ? weight + last : NULL, mask_last(rest));
	return NAME(row_lanes_totals)(&s);
}

/* Of any row, as many elements at a time. */
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
