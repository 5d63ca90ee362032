/* SPDX-License-Identifier: MIT */
/*
 * Variances are combined by weights, which are ratios of counts. M2 = count * var would overflow before the variance
 * does, and above 2^53 a count is not exact in double.
 */
#include "norm/update.h"

#include <stdbool.h>

#include "norm/finite.h"
#include "norm/kernels/kernels.h"
#include "norm/kernels/merge.h"

/* Equation 5; the batch's variance takes the divisor n - ddof (equation 8). Both ends are exact: m = 1 and m = 0. */
static void
apply_exponential(const struct statistics *in, const struct update *u, struct statistics *out)
{
	const double unbias = (double)u->count / (double)(u->count - u->ddof);
	const double m = u->momentum;

	for (size_t f = 0; f < in->features; f++) {
		out->mean[f] = (1 - m) * in->mean[f] + m * u->mean[f];
		out->var[f] = (1 - m) * in->var[f] + m * (u->var[f] * unbias);
	}
}

/* Equation 6. The first batch replaces what was there: r + (batch - r) would leave the rounding of the initial 1. */
static void
apply_cumulative(const struct statistics *in, const struct update *u, struct statistics *out)
{
	const double unbias = (double)u->count / (double)(u->count - u->ddof);
	const bool first = in->num_batches_tracked == 0;
	const double k = (double)(in->num_batches_tracked + 1);

	for (size_t f = 0; f < in->features; f++) {
		const double var = u->var[f] * unbias;

		out->mean[f] = first ? u->mean[f] : in->mean[f] + (u->mean[f] - in->mean[f]) / k;
		out->var[f] = first ? var : in->var[f] + (var - in->var[f]) / k;
	}
}

/* A weight's part of the divisor; 0 where there are too few values for a variance. */
static double
part(double weight, double divisor)
{
	return divisor > 0 ? weight / divisor : 0;
}

/* Equation 7. With a = 0 the result is the batch, exactly. Returns whether all moments are finite. */
static bool
apply_pooled(const struct statistics *in, const struct update *u, struct statistics *out)
{
	const uint64_t a = in->count, b = u->count, both = a + b;
	const double divisor = (double)(both > u->ddof ? both - u->ddof : 0);
	const struct merge m = {
		.a_is_less = (a < b),
		.share_a = (double)a / (double)both,
		.share_b = (double)b / (double)both,
		.weight_a = part((double)(a > u->ddof ? a - u->ddof : 0), divisor),
		.weight_b = part((double)b, divisor),
	};

	return kernels_best()->merge(in, u, &m, out);
}

/*
 * Equation 27. The divisor is that of the count as it is stored, so that the next update finds the same M2. So little
 * may be kept that one new value makes the count 1: as in pooled averaging there is no variance then.
 */
static bool
apply_decayed(const struct statistics *in, const struct update *u, struct statistics *out)
{
	const double a = in->decayed_count * u->keep, b = (double)u->count, both = a + b;
	const double older = in->decayed_count > u->ddof ? (in->decayed_count - u->ddof) * u->keep : 0;
	const struct merge m = {
		.a_is_less = (a < b),
		.share_a = a / both,
		.share_b = b / both,
		.weight_a = part(older, both - u->ddof),
		.weight_b = part(b, both - u->ddof),
	};

	out->decayed_count = both;
	return kernels_best()->merge(in, u, &m, out);
}

/* Whether a count would pass its end. A decayed count stops below 2^63 too, so that it can be shown and put back. */
static bool
overflows(const struct statistics *in, const struct update *u)
{
	if (in->num_batches_tracked >= STATISTICS_COUNT_MAX)
		return true;
	if (u->averaging == AVERAGING_DECAYED)
		return !(in->decayed_count * u->keep + (double)u->count < STATISTICS_DECAYED_COUNT_END);
	return u->averaging == AVERAGING_POOLED &&
	    (in->count > STATISTICS_COUNT_MAX || u->count > STATISTICS_COUNT_MAX - in->count);
}

/* More half-lives than this leave less than the smallest double. */
#define HALF_LIVES_MAX 1076

/* With this many terms, the series of e^t is exact to double for |t| <= ln 2 / 2. */
#define SERIES_TERMS 14

double
update_keep(uint64_t n, double half_life)
{
	const double x = (double)n / half_life;
	double t, kept = 1, power = 0.5;
	unsigned k;

	if (!(x < HALF_LIVES_MAX))
		return 0;
	k = (unsigned)(x + 0.5);
	t = (k - x) * 0x1.62e42fefa39efp-1; /* ln 2 */
	for (unsigned i = SERIES_TERMS; i > 0; i--)
		kept = 1 + kept * t / i;
	/* Times 2^-k. Every product is exact but a subnormal one, which can only be the last. */
	for (; k > 0; k >>= 1) {
		kept *= (k & 1) != 0 ? power : 1;
		power *= power;
	}
	return kept;
}

/* Returns whether all moments are finite. */
static bool
apply(const struct statistics *in, const struct update *u, struct statistics *out)
{
	switch (u->averaging) {
	case AVERAGING_EXPONENTIAL:
		apply_exponential(in, u, out);
		break;
	case AVERAGING_CUMULATIVE:
		apply_cumulative(in, u, out);
		break;
	case AVERAGING_POOLED:
		return apply_pooled(in, u, out);
	case AVERAGING_DECAYED:
		return apply_decayed(in, u, out);
	}
	return finite_all(out->mean, out->features) && finite_all(out->var, out->features);
}

enum update_result
update_apply(const struct statistics *in, const struct update *u, struct statistics *out)
{
	if (u->features != in->features)
		return UPDATE_FEATURES_DIFFER;
	if (overflows(in, u))
		return UPDATE_COUNT_OVERFLOWS;
	out->features = in->features;
	out->num_batches_tracked = in->num_batches_tracked + 1;
	out->count = u->averaging == AVERAGING_POOLED ? in->count + u->count : in->count;
	out->decayed_count = in->decayed_count;
	return apply(in, u, out) ? UPDATE_APPLIED : UPDATE_NOT_FINITE;
}
