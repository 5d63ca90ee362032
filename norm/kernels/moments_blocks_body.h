/* SPDX-License-Identifier: MIT */
/*
 * Sums of blocks of elements, from which moments come. `plain`: the shift is 0 and squares are exact in double
 * (NARROW), so that wide_add_exact_product() may fuse.
 */

static ALWAYS_INLINE void
NAME(blocks_inline)(const REAL *x, size_t n, bool plain, double shift, double *keep, struct moment_sums *s)
{
	wide sum[VECTORS], square[VECTORS], d;
	size_t i;

	EACH_VECTOR(k)
	{
		sum[k] = wide_load_double(s->d.recent + k * KERNELS_WIDTH);
		square[k] = wide_load_double(s->squares.recent + k * KERNELS_WIDTH);
	}
	for (i = 0; i < n; i += BLOCK)
		EACH_VECTOR(k)
		{
			d = NAME(wide_load)(x + i + k * KERNELS_WIDTH);
			if (!plain)
				d -= shift;
			if (keep != NULL)
				wide_store(keep + i + k * KERNELS_WIDTH, d);
			sum[k] += d;
			square[k] = plain ? wide_add_exact_product(square[k], d, d) : square[k] + d * d;
		}
	EACH_VECTOR(k)
	{
		wide_store(s->d.recent + k * KERNELS_WIDTH, sum[k]);
		wide_store(s->squares.recent + k * KERNELS_WIDTH, square[k]);
	}
}

/* Adds n elements, a multiple of BLOCK; the caller has made room in s. Stores each d in `keep` unless it is NULL. */
static void
NAME(blocks)(const REAL *x, size_t n, double shift, double *keep, struct moment_sums *s)
{
	const bool plain = shift == 0 && NARROW;

	if (plain && keep == NULL)
		NAME(blocks_inline)(x, n, true, 0, NULL, s);
	else if (plain)
		NAME(blocks_inline)(x, n, true, 0, keep, s);
	else if (keep == NULL)
		NAME(blocks_inline)(x, n, false, shift, NULL, s);
	else
		NAME(blocks_inline)(x, n, false, shift, keep, s);
}

/* Adds the lanes of one block that the mask selects. */
static void
NAME(block_masked)(const REAL *x, const int64_t *mask, double shift, double *keep, struct moment_sums *s)
{
	wide d, sum, square;

	EACH_VECTOR(k)
	{
		d = NAME(wide_load)(x + k * KERNELS_WIDTH) - shift;
		if (keep != NULL)
			wide_store(keep + k * KERNELS_WIDTH, d);
		d = wide_masked(d, lane_mask_vector(mask, k));
		sum = wide_load_double(s->d.recent + k * KERNELS_WIDTH) + d;
		square = wide_load_double(s->squares.recent + k * KERNELS_WIDTH) + d * d;
		wide_store(s->d.recent + k * KERNELS_WIDTH, sum);
		wide_store(s->squares.recent + k * KERNELS_WIDTH, square);
	}
}

/*
 * The sums about 0 of one run of at most FEW elements, which are kept. Without a fold they stay in registers. The lanes
 * and their order are those of NAME(run_sums).
 */
static ALWAYS_INLINE void
NAME(few_sums)(const REAL *x, size_t n, double *keep, double *d, double *squares)
{
	const size_t rest = n % BLOCK, whole = n - rest;
	const int64_t *mask = whole > 0 ? lane_mask_last(rest) : lane_mask_first(rest);
	const size_t at = whole > 0 ? n - BLOCK : 0; /* the block that has the rest */
	const REAL *last = x + at;
	REAL padded[BLOCK] = { 0 };
	wide sum[VECTORS] = { { 0 } }, square[VECTORS] = { { 0 } }, v;
	size_t i;

	for (i = 0; i < whole; i += BLOCK)
		EACH_VECTOR(k)
		{
			v = NAME(wide_load)(x + i + k * KERNELS_WIDTH);
			wide_store(keep + i + k * KERNELS_WIDTH, v);
			sum[k] = k % 2 == 0 ? sum[k] + v : wide_plus(v, sum[k]);
			square[k] = wide_add_exact_product(square[k], v, v);
		}
	if (rest > 0 && whole == 0)
		last = memcpy(padded, x, n * sizeof(*x));
	if (rest > 0)
		EACH_VECTOR(k)
		{
			v = NAME(wide_load)(last + k * KERNELS_WIDTH);
			wide_store(keep + at + k * KERNELS_WIDTH, v);
			v = wide_masked(v, lane_mask_vector(mask, k));
			sum[k] += v;
			square[k] = wide_add_exact_product(square[k], v, v);
		}
	*d = wide_tree(sum);
	*squares = wide_tree(square);
}
