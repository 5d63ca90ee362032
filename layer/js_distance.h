/* SPDX-License-Identifier: MIT */
/*
 * The Jensen-Shannon distance of two normal distributions, which has no closed form (docs/MATH.md, equation 33).
 *
 * The distance depends on two numbers alone: `shift` >= 0, how far the means are apart in deviations of the narrower
 * distribution, and `excess` >= 0, by how much the ratio of the wider variance to the narrower exceeds 1. Both may be
 * infinite. The result is the root of the divergence to base 2: 0 for equal distributions, 1 for disjoint ones. It is
 * within 1e-9 of the exact distance, and of itself where the distance is small.
 */
#pragma once

double js_distance(double shift, double excess);
