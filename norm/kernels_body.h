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

/* NARROW: products of two elements are exact in double. PUTS_WIDE: loops that store elements are written out in vectors. */
#define REAL float
#define BITS uint32_t
#define NAME(name) name##_float
#define PUTS_WIDE true
#define NARROW true
#include "norm/moments_blocks.h"
#include "norm/moments_body.h"
#include "norm/normalize_body.h"
#include "norm/backward_body.h"
#undef NARROW
#undef PUTS_WIDE
#undef NAME
#undef BITS
#undef REAL

#define REAL double
#define BITS uint64_t
#define NAME(name) name##_double
#define PUTS_WIDE true
#define NARROW false
#include "norm/moments_blocks.h"
#include "norm/moments_body.h"
#include "norm/normalize_body.h"
#include "norm/backward_body.h"
#undef NARROW
#undef PUTS_WIDE
#undef NAME
#undef BITS
#undef REAL

#define REAL uint16_t
#define BITS uint16_t
#define NAME(name) name##_half
#define PUTS_WIDE false
#define NARROW true
#include "norm/moments_blocks.h"
#include "norm/moments_body.h"
#include "norm/normalize_body.h"
#include "norm/backward_body.h"
#undef NARROW
#undef PUTS_WIDE
#undef NAME
#undef BITS
#undef REAL

#define REAL uint16_t
#define BITS uint16_t
#define NAME(name) name##_bfloat
#define PUTS_WIDE false
#define NARROW true
#include "norm/moments_blocks.h"
#include "norm/moments_body.h"
#include "norm/normalize_body.h"
#include "norm/backward_body.h"
#undef NARROW
#undef PUTS_WIDE
#undef NAME
#undef BITS
#undef REAL

const struct kernels KERNELS = {
	.name = KERNELS_NAME,
	.of = {
		[NORM_FLOAT] = { moments_float, squares_float, by_feature_float, batch_float, rows_float, rows_by_float, clip_float, gradients_float, backward_float, backward_batch_float, rows_backward_float, clip_backward_float },
		[NORM_DOUBLE] = { moments_double, squares_double, by_feature_double, batch_double, rows_double, rows_by_double, clip_double, gradients_double, backward_double, backward_batch_double, rows_backward_double, clip_backward_double },
		[NORM_HALF] = { moments_half, squares_half, by_feature_half, batch_half, rows_half, rows_by_half, clip_half, gradients_half, backward_half, backward_batch_half, rows_backward_half, clip_backward_half },
		[NORM_BFLOAT] = { moments_bfloat, squares_bfloat, by_feature_bfloat, batch_bfloat, rows_bfloat, rows_by_bfloat, clip_bfloat, gradients_bfloat, backward_bfloat, backward_batch_bfloat, rows_backward_bfloat, clip_backward_bfloat },
	},
};
