/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic on many features' moments: the merge (norm/update.c) as the function KERNELS_MERGE, and normalize_rstd()
 * as KERNELS_RSTD. Each .c file of a set includes the header of the set, defines both, and includes this one. gcc
 * vectorizes the loops; where they work in place, it has to see that. No guard.
 */
#ifdef KERNELS_WIDTH
#include <math.h>

#include "norm/kernels/kernels.h"
#include "norm/kernels/merge.h"
#include "norm/kernels/wide.h"
#include "norm/update.h"

/*
 * The mean starts from the side with more values, so that only the other's rounding error is scaled down. `alike`:
 * share_b is weight_b, so that one product does for both. A mean is not finite only if delta is not, and then the
 * variance is not finite either: w - w is 0 for finite w, else NaN.
 */
static ALWAYS_INLINE bool
merge_features(
    const struct statistics *in, const struct update *u, struct merge by, bool alike, const struct statistics *out)
{
	const double *const old_mean = in->mean, *const old_var = in->var;
	const double *restrict const new_mean = u->mean, *restrict const new_var = u->var;
	double *const mean = out->mean, *const var = out->var;
	uint64_t excess = 0;

	for (size_t f = 0; f < in->features; f++) {
		const double delta = new_mean[f] - old_mean[f], of_a = delta * by.share_a, of_b = delta * by.weight_b;
		const double merged = by.weight_a * old_var[f] + by.weight_b * new_var[f] + of_a * of_b;

		mean[f] = by.a_is_less ? new_mean[f] - of_a : old_mean[f] + (alike ? of_b : delta * by.share_b);
		var[f] = merged;
		excess |= double_bits(merged - merged);
	}
	return excess == 0;
}

bool
KERNELS_MERGE(const struct statistics *in, const struct update *u, const struct merge *by, const struct statistics *out)
{
	if (by->share_b != by->weight_b)
		return merge_features(in, u, *by, false, out);
	/* Windows are merged in place. */
	if (in->mean == out->mean && in->var == out->var)
		return merge_features(out, u, *by, true, out);
	return merge_features(in, u, *by, true, out);
}

static ALWAYS_INLINE void
rstd_features(const double *var, double eps, size_t features, double *rstd)
{
	for (size_t f = 0; f < features; f++)
		rstd[f] = 1 / sqrt(var[f] + eps);
}

void
KERNELS_RSTD(const double *var, double eps, size_t features, double *rstd)
{
	if (var == rstd)
		rstd_features(rstd, eps, features, rstd);
	else
		rstd_features(var, eps, features, rstd);
}

KERNELS_END
#endif
