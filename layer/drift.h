/* SPDX-License-Identifier: MIT */
/*
 * Drift: the moments of new data beside those of a reference, feature by feature. The scores are distance.h's; a
 * verdict comes from the divergence. docs/DRIFT.md says what they mean.
 */
#pragma once

#include "base/workspace.h"
#include "layer/distance.h"

enum drift_verdict {
	DRIFT_NONE,
	DRIFT_POSSIBLE,
	DRIFT_FOUND,
	DRIFT_TOO_FEW, /* values */
	DRIFT_CONSTANT /* a deviation is 0, so that there is no divergence */
};

/* "none", "possible", "drift", "too_few", "constant" */
const char *drift_verdict_name(enum drift_verdict verdict);

struct drift_data {
	size_t features;
	struct moments window; /* of the new data */
	struct moments reference;
	const uint64_t *counts; /* the window's values of each feature; NULL: window.count of each */
};

struct drift_options {
	double possible, drift; /* the divergence from which on the verdict is so: 0 < possible <= drift */
	uint64_t min_count;     /* of values; fewer have no verdict */
	uint64_t top;           /* of features that are shown at most */
};

struct drift_feature {
	size_t index;
	enum drift_verdict verdict;
	struct distance scores; /* NAN: none */
};

struct drift {
	enum drift_verdict verdict;
	struct distance max, median; /* distance_summarize's; over the features that have enough values, if any have */
	struct drift_feature *worst; /* the worst first; none where the window is empty */
	size_t worst_count;
};

/*
 * Compares them. The layer's verdict is `too_few` if no feature has enough values; else the worst of its features',
 * where `constant` counts if a constant feature is not as it was, or if all features are constant.
 *
 * The worst features are those with the greatest divergence. A constant feature that is not as it was comes before
 * them, one that is as it was after them, and one with too few values after all others. Features that are alike are in
 * their order.
 *
 * Takes a double for each feature from the workspace, and lets its crew help. Errors: overloaded, body_too_large.
 */
int drift_compare(struct workspace *ws, const struct drift_data *data, const struct drift_options *options,
    struct drift *out, struct err *e) MUST_CHECK;
