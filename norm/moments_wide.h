/*
 * The sums of a chunk of REAL by way of an array of doubles, which stays in the first-level cache: for half, because reading one
 * is too much work to be done between two sums, and for double, in whose fused loop gcc turns lanes around instead of adding
 * them up (measured: two thirds of the time, in both). The sums are the same to the bit as those of norm/moments_direct.h.
 * Included once for each of them by norm/kernels_body.h, without a guard.
 */

/* Sums of x - shift over a chunk. */
static void
NAME(chunk_sum)(const REAL *restrict x, size_t n, double shift, double *restrict sum)
{
	double wide[CHUNK];
	size_t i;

	for (i = 0; i < n; i++)
		wide[i] = NAME(load)(x[i]) - shift;
	lanes_sum(wide, n, sum);
}

/* Sums of the deviations from the mean over a chunk, and of their squares. */
static void
NAME(chunk_deviations)(const REAL *restrict x, size_t n, double mean, double *restrict sum, double *restrict squares)
{
	double wide[CHUNK];
	size_t i;

	for (i = 0; i < n; i++)
		wide[i] = NAME(load)(x[i]) - mean;
	lanes_sum(wide, n, sum);
	lanes_squares(wide, n, squares);
}
