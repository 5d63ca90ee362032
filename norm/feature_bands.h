/* SPDX-License-Identifier: MIT */
/*
 * Where a large tensor has few features (channels last, an image of three colours) there is nothing to share out among
 * threads but the samples: its sums are made in bands of outer, and joined. In how many the view alone decides, and
 * moments(), backward_sums() and what follows from them do it whoever calls, so that the bits are the same for any
 * number of threads.
 *
 * In `scratch`, FEATURE_BANDS_SCRATCH doubles, each band has a place of its own: bands may be done at the same time.
 */
#ifndef NORM_FEATURE_BANDS_H
#define NORM_FEATURE_BANDS_H

#include "norm/cut.h"
#include "norm/view.h"

#define FEATURE_BANDS_MAX ((size_t)8)
/* More features have blocks of columns enough to share out. */
#define FEATURE_BANDS_FEATURES ((size_t)256)
/* Three numbers a feature for each band. */
#define FEATURE_BANDS_SCRATCH (3 * FEATURE_BANDS_MAX * FEATURE_BANDS_FEATURES)

/* How many bands a view is measured in: at least 1, at most FEATURE_BANDS_MAX. */
size_t feature_bands(struct norm_view view);

/*
 * The moments of some bands, as moments() has them, and then those of all, from how far each band's mean is from the
 * first one's (docs/MATH.md, rule 2): that is kept beyond double's digits, for of a large mean and a small deviation it
 * is among the last ones.
 */
void feature_bands_moments(
    enum norm_real real, const void *x, struct norm_view view, struct norm_part bands, double *scratch);
void feature_bands_join_moments(struct norm_view view, const double *scratch, double *mean, double *var);

/* The sums of some bands, as backward_sums() has them, and then those of all. */
void feature_bands_sums(enum norm_real real, const void *x, const void *g, struct norm_view view,
    struct norm_part bands, const double *mean, const double *rstd, double *scratch);
void feature_bands_join_sums(struct norm_view view, const double *scratch, double *sum, double *product);

#endif
