/* SPDX-License-Identifier: MIT */
#include "norm/pool.h"

#include <string.h>

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
