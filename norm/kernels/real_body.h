/* SPDX-License-Identifier: MIT */
/*
 * All loops for one set of vector instructions and one type of element, as the table KERNELS. The contract of these
 * templates:
 *
 * Each .c file of a set and a type (avx2_float.c) includes the header of the set, defines KERNELS, and includes the
 * header of the type, which includes this one.
 *
 * The header of a set (avx2.h) defines, if the processor may have it,
 *
 *     KERNELS_WIDTH   doubles in a vector
 *     KERNELS_END     what ends the functions that use the set's instructions
 *     KERNELS_WIDEN, KERNELS_NARROW, KERNELS_FUSED, KERNELS_FUSED_FLOAT
 *                     optional: better instructions than gcc finds (wide.h)
 *
 * The header of a type (real_float.h) defines
 *
 *     REAL, BITS   the C type of an element, and an unsigned integer of the same size
 *     NAME(name)   the name with the type's suffix
 *     PUTS_WIDE    whether loops that store elements are written in vectors; else gcc vectorizes them
 *     NARROW       whether products of two elements are exact in double
 *
 * element.h and wide.h provide for each type, by NAME():
 *
 *     load(x), store(d)           one element as a double; a double as the nearest element
 *     excess(x)                   BITS, 0 where the element x is finite
 *     largest                     the largest element
 *     wide_load(x), wide_put(x, w, &excess)   the same for a vector, which need not be aligned
 *     wide_excess                 the vector in which wide_put notes what is not finite
 *
 * The bodies below have no guards; each uses functions of those before it. All functions are static, so that nothing
 * compiled for one processor is linked into what runs on another.
 *
 * A call that begins a statement with NAME() must fit on one line: clang-format takes a longer one for a definition.
 */
#ifdef KERNELS_WIDTH
#include <math.h>
#include <string.h>

#include "norm/kernels/backward_terms.h"
#include "norm/kernels/column_sums.h"
#include "norm/kernels/columns.h"
#include "norm/kernels/element.h"
#include "norm/kernels/kernels.h"
#include "norm/kernels/lane_sums.h"
#include "norm/kernels/sum.h"
#include "norm/kernels/wide.h"

#include "norm/kernels/moments_blocks_body.h"
#include "norm/kernels/moments_body.h"
#include "norm/kernels/normalize_body.h"
#include "norm/kernels/normalize_rows_body.h"
#include "norm/kernels/observe_body.h"
#include "norm/kernels/sums_body.h"
#include "norm/kernels/backward_body.h"
#include "norm/kernels/rows_sums_body.h"
#include "norm/kernels/backward_rows_body.h"

const struct kernels_of_real KERNELS = {
	.moments = NAME(moments),
	.batch = NAME(batch),
	.by_feature = NAME(by_feature),
	.shifts = NAME(shifts),
	.observe = NAME(observe),
	.rows = NAME(rows),
	.rows_by = NAME(rows_by),
	.clip = NAME(clip),
	.sums = NAME(sums),
	.batch_backward = NAME(batch_backward),
	.terms_backward = NAME(terms_backward),
	.rows_backward = NAME(rows_backward),
	.clip_backward = NAME(clip_backward),
	.fold = sums_fold,
};

KERNELS_END
#endif
