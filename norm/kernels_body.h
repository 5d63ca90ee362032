/*
 * All loops for all types of element, as the set KERNELS; included once for each set of instructions, without a guard. What it
 * includes is all `static`, so that nothing compiled for one machine is linked into what runs on another.
 */
#include <math.h>
#include <string.h>

#include "norm/backward_terms.h"
#include "norm/columns.h"
#include "norm/element.h"
#include "norm/kernels.h"
#include "norm/moment_sums.h"
#include "norm/moments_shared.h"
#include "norm/sum.h"
#include "norm/wide.h"

#define REAL float
#define BITS uint32_t
#define NAME(name) name##_float
#define NARROW true
#include "norm/moments_blocks.h"
#include "norm/moments_body.h"
#include "norm/normalize_body.h"
#include "norm/backward_body.h"
#undef NARROW
#undef NAME
#undef BITS
#undef REAL

#define REAL double
#define BITS uint64_t
#define NAME(name) name##_double
#define NARROW false
#include "norm/moments_blocks.h"
#include "norm/moments_body.h"
#include "norm/normalize_body.h"
#include "norm/backward_body.h"
#undef NARROW
#undef NAME
#undef BITS
#undef REAL

#define REAL uint16_t
#define BITS uint16_t
#define NAME(name) name##_half
#define NARROW true
#include "norm/moments_blocks.h"
#include "norm/moments_body.h"
#include "norm/normalize_body.h"
#include "norm/backward_body.h"
#undef NARROW
#undef NAME
#undef BITS
#undef REAL

#define REAL uint16_t
#define BITS uint16_t
#define NAME(name) name##_bfloat
#define NARROW true
#include "norm/moments_blocks.h"
#include "norm/moments_body.h"
#include "norm/normalize_body.h"
#include "norm/backward_body.h"
#undef NARROW
#undef NAME
#undef BITS
#undef REAL

const struct kernels KERNELS = {
	.name = KERNELS_NAME,
	.of = {
		[NORM_FLOAT] = { moments_float, moments_part_float, squares_float, by_feature_float, batch_part_float, rows_float, rows_by_float, clip_float, gradients_float, backward_float, row_backward_float, clip_backward_float },
		[NORM_DOUBLE] = { moments_double, moments_part_double, squares_double, by_feature_double, batch_part_double, rows_double, rows_by_double, clip_double, gradients_double, backward_double, row_backward_double, clip_backward_double },
		[NORM_HALF] = { moments_half, moments_part_half, squares_half, by_feature_half, batch_part_half, rows_half, rows_by_half, clip_half, gradients_half, backward_half, row_backward_half, clip_backward_half },
		[NORM_BFLOAT] = { moments_bfloat, moments_part_bfloat, squares_bfloat, by_feature_bfloat, batch_part_bfloat, rows_bfloat, rows_by_bfloat, clip_bfloat, gradients_bfloat, backward_bfloat, row_backward_bfloat, clip_backward_bfloat },
	},
};
