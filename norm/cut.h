/* SPDX-License-Identifier: MIT */
/*
 * How work is cut into parts, for as many threads of the caller's as there are. The parts give the same bits as the
 * whole, however it is cut, because a sum never is: a part runs the whole's loops over some of what they run over, and
 * the whole is the part of all.
 *
 *   moments_part(), normalize_batch_part()                      features, at multiples of cut_step()
 *   normalize_by_feature_part(), normalize_by_sample_part()     elements, anywhere
 *   backward_by_feature_part(), backward_sums_part()            features, likewise
 *   backward_by_coefficients()                                  at any index of outer: the parts are calls of their own
 *   backward_groups_part(), backward_rows_part()                bands, whose number the view decides, since over them
 *   goes a sum feature_bands_moments(), feature_bands_sums()               bands likewise, of a view of few features
 *   normalize_groups_part()                                     groups of samples, anywhere normalize_rows(),
 *   normalize_rows_by(), normalize_clip()     at any row, at any element: the parts are calls of their own
 *
 * Parts that have nothing in common may run at the same time. What stays whole is the sum of a group or a row, and of a
 * feature, where there are many.
 */
#ifndef NORM_CUT_H
#define NORM_CUT_H

#include "norm/view.h"

/*
 * Elements from which on a tensor is large: only then is its work done in parts. To wake a thread takes 50 to 90 us on
 * a virtual machine: of half a million elements, on which inference spends 120 us, two threads spare nothing
 * (measured), of a million a quarter. By the same number a tensor's sums over samples or rows are made in bands, which
 * cost a little to join: in more than one where, and only where, several threads may do them.
 */
#define CUT_FROM ((size_t)1 << 20)

/* From `first` to before `end`, of whatever is counted. */
struct norm_part {
	size_t first;
	size_t end;
};

/*
 * How many features have their sums taken together, and may be cut only before the first and after the last; the view's
 * last ones may be fewer.
 */
size_t cut_step(struct norm_view view);

/* In how many parts `count` things can be at most, when they are cut at multiples of `step` (at least 1). */
size_t cut_most(size_t count, size_t step);

/*
 * Part `i` of `parts` (1 to cut_most()) of them, none of which is empty, nor larger than another by more than a step.
 */
struct norm_part cut_part(size_t count, size_t step, size_t parts, size_t i);

#endif
