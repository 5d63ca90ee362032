/* SPDX-License-Identifier: MIT */
/*
 * Sums of few features of a large tensor (channels last, an image of three colours) in bands of outer, because features
 * alone would give too few parts. The view alone decides the number of bands, and so the bits.
 */
#pragma once

#include "norm/pass.h"

#define FEATURE_BANDS_MAX ((size_t)8)
/* Views with more features have enough blocks of columns to share out. */
#define FEATURE_BANDS_FEATURES ((size_t)256)
/* Three doubles for each feature of each band. */
#define FEATURE_BANDS_SCRATCH (3 * FEATURE_BANDS_MAX * FEATURE_BANDS_FEATURES)

/* The number of bands for a view, 1 to FEATURE_BANDS_MAX. */
size_t feature_bands(struct norm_view view);

/*
 * What replaces norm_moments and norm_sums where there are several bands; in and out as there. Moments are joined from
 * the distances between the bands' means (docs/MATH.md, rule 2), which are kept beyond double's digits: a small
 * deviation of a large mean shows only in its last digits.
 */
extern const struct norm_op feature_bands_moments, feature_bands_sums;
