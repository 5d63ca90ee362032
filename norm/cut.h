/* SPDX-License-Identifier: MIT */
/*
 * How a pass is cut into parts for several threads. Parts that do not overlap may run at the same time. They give the
 * same bits as the whole, because the sum of a feature, group or row is never cut. Where features are few, or sums go
 * over all samples or rows, the sums are made in bands whose number depends on the view alone, and joined
 * (norm/feature_bands.h, norm/backward_bands.c).
 */
#pragma once

#include "norm/view.h"

struct norm_pass;

/*
 * Only tensors with at least this many elements are cut, and have their sums over samples or rows made in bands, which
 * cost a little to join. Waking a thread takes 50 to 90 us on a virtual machine. Measured: for half a million elements,
 * which take inference 120 us, a second thread gains nothing; for a million, a quarter.
 */
#define CUT_FROM ((size_t)1 << 20)

/* From `first` to before `end`: features, elements, rows, groups, bands. */
struct norm_part {
	size_t first;
	size_t end;
};

/* What is cut: `count` things, at multiples of `step`. */
struct norm_cut {
	size_t count;
	size_t step;
};

/* The step for features: their sums are taken together in blocks. The last block may be smaller. */
size_t cut_step(struct norm_view view);

/* The largest number of parts that `count` things can be cut into at multiples of `step` (>= 1). */
size_t cut_most(size_t count, size_t step);

/* Part `i` of `parts` (1 to cut_most()). No part is empty, or larger than another by more than a step. */
struct norm_part cut_part(size_t count, size_t step, size_t parts, size_t i);

/* How a pass may be cut: at features, at rows (the view's features), at indices of outer, or at any element. */
struct norm_cut cut_features(const struct norm_pass *p);
struct norm_cut cut_rows(const struct norm_pass *p);
struct norm_cut cut_outer(const struct norm_pass *p);
struct norm_cut cut_elements(const struct norm_pass *p);
