/* SPDX-License-Identifier: MIT */
/* The operation that measures moments (norm/pass.h). */
#include "norm/feature_bands.h"
#include "norm/kernels/kernels.h"

KERNELS_PART(moments_part, moments)

const struct norm_op norm_moments = { .part = moments_part, .cut = cut_features, .in_bands = &feature_bands_moments };
