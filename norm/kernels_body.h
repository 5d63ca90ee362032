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
#include "norm/normalize_rows_body.h"
#include "norm/gradients_body.h"
#include "norm/backward_body.h"
#include "norm/rows_sums_body.h"
#include "norm/backward_rows_body.h"
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
#include "norm/normalize_rows_body.h"
#include "norm/gradients_body.h"
#include "norm/backward_body.h"
#include "norm/rows_sums_body.h"
#include "norm/backward_rows_body.h"
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
#include "norm/normalize_rows_body.h"
#include "norm/gradients_body.h"
#include "norm/backward_body.h"
#include "norm/rows_sums_body.h"
#include "norm/backward_rows_body.h"
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
#include "norm/normalize_rows_body.h"
#include "norm/gradients_body.h"
#include "norm/backward_body.h"
#include "norm/rows_sums_body.h"
#include "norm/backward_rows_body.h"
#undef NARROW
#undef PUTS_WIDE
#undef NAME
#undef BITS
#undef REAL

#define LOOPS_OF(real) \
	{ \
		moments_##real, moments_part_##real, squares_##real, by_feature_##real, batch_part_##real, rows_##real, \
		    rows_by_##real, clip_##real, gradients_part_##real, backward_##real, backward_part_##real, \
		    rows_backward_##real, clip_backward_##real \
	}

const struct kernels KERNELS = {
	.name = KERNELS_NAME,
	.fold = sums_fold,
	.of = {
		[NORM_FLOAT] = LOOPS_OF(float),
		[NORM_DOUBLE] = LOOPS_OF(double),
		[NORM_HALF] = LOOPS_OF(half),
		[NORM_BFLOAT] = LOOPS_OF(bfloat),
	},
};
