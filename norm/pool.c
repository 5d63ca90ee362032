/* SPDX-License-Identifier: MIT */
#include "norm/pool.h"

#include <string.h>

#include "norm/kernels/sum.h"
#include "norm/update.h"

/* A part is a pooled update, and the state begins with nothing seen. The two pairs of arrays take turns. */
int
pool_moments(const struct moments *parts, size_t part_count, size_t features, double *mean, double *var,
    double *scratch, uint64_t *count)
{
	struct statistics state = { .features = features, .mean = mean, .var = var };
	struct statistics next = { .features = features, .mean = scratch, .var = scratch + features }, swap;

	memset(mean, 0, features * sizeof(*mean));
	memset(var, 0, features * sizeof(*var));
	for (size_t i = 0; i < part_count; i++) {
		const struct update u = { .averaging = AVERAGING_POOLED,
			.count = parts[i].count,
			.features = features,
			.mean = parts[i].mean,
			.var = parts[i].var };

		if (u.count == 0)
			continue;
		if (update_apply(&state, &u, &next) != UPDATE_APPLIED)
			return -1;
		swap = state;
		state = next;
		next = swap;
	}
	if (state.mean != mean) {
		memcpy(mean, state.mean, features * sizeof(*mean));
		memcpy(var, state.var, features * sizeof(*var));
	}
	*count = state.count;
	return 0;
}

static double
average(const double *value, size_t count, size_t stride)
{
	struct sum s = { 0, 0 };

	for (size_t i = 0; i < count; i++)
		sum_add(&s, value[i * stride]);
	return sum_total(s) / (double)count;
}

void
moments_average(const double *means, const double *vars, size_t samples, size_t channels, double *mean, double *var)
{
	for (size_t c = 0; c < channels; c++) {
		mean[c] = average(means + c, samples, channels);
		var[c] = average(vars + c, samples, channels);
	}
}
