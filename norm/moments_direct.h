/*
 * The sums of a chunk of REAL, each element taken straight to its lane: where gcc sees the vectors in that, as it does for float
 * and bfloat, this is the fastest. Included once for each of them by norm/kernels_body.h, without a guard.
 */

/* Sums of x - shift over a chunk: element i counts in lane i mod LANES. */
static LANES_APART void
NAME(chunk_sum)(const REAL *restrict x, size_t n, double shift, double *restrict sum)
{
	double lane[LANES] = { 0 };
	size_t i, k;

	for (i = 0; i + LANES <= n; i += LANES)
		for (k = 0; k < LANES; k++)
			lane[k] += NAME(load)(x[i + k]) - shift;
	memcpy(sum, lane, sizeof(lane));
	for (; i < n; i++)
		sum[i % LANES] += NAME(load)(x[i]) - shift;
}

/* Sums of the deviations from the mean over a chunk, and of their squares. */
static LANES_APART void
NAME(chunk_deviations)(const REAL *restrict x, size_t n, double mean, double *restrict sum, double *restrict squares)
{
	double lane[LANES] = { 0 }, square[LANES] = { 0 };
	double d;
	size_t i, k;

	for (i = 0; i + LANES <= n; i += LANES)
		for (k = 0; k < LANES; k++) {
			d = NAME(load)(x[i + k]) - mean;
			lane[k] += d;
			square[k] += d * d;
		}
	memcpy(sum, lane, sizeof(lane));
	memcpy(squares, square, sizeof(square));
	for (; i < n; i++) {
		d = NAME(load)(x[i]) - mean;
		sum[i % LANES] += d;
		squares[i % LANES] += d * d;
	}
}
