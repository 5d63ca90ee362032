/* SPDX-License-Identifier: MIT */
/*
 * All loops for one type of element, as KERNELS. Each file that includes this is one set of instructions and one type
 * of element, so that the compiler works on several of them at the same time. Before this header come the header of the
 * set (norm/kernels/avx2.h) and, from the header of the type (norm/kernels/kernels_float.h):
 *
 *     REAL, BITS   the C type of an element, and of its bits
 *     NAME(name)   the name of a loop for this type
 *     PUTS_WIDE    whether loops that store elements are written out in vectors
 *     NARROW       whether products of two elements are exact in double
 *
 * Everything that is included here is `static`, so that nothing compiled for one machine is linked into what runs on
 * another.
 */
#include <math.h>
#include <string.h>

#include "norm/kernels/backward_terms.h"
#include "norm/kernels/columns.h"
#include "norm/kernels/element.h"
#include "norm/kernels/kernels.h"
#include "norm/kernels/moment_sums.h"
#include "norm/kernels/moments_shared.h"
#include "norm/kernels/sum.h"
#include "norm/kernels/wide.h"

#include "norm/kernels/moments_blocks_body.h"
#include "norm/kernels/moments_body.h"
#include "norm/kernels/normalize_body.h"
#include "norm/kernels/normalize_rows_body.h"
#include "norm/kernels/gradients_body.h"
#include "norm/kernels/backward_body.h"
#include "norm/kernels/rows_sums_body.h"
#include "norm/kernels/backward_rows_body.h"

const struct kernels_of_real KERNELS = {
	NAME(moments),
	NAME(moments_part),
	NAME(squares),
	NAME(by_feature),
	NAME(batch_part),
	NAME(rows),
	NAME(rows_by),
	NAME(clip),
	NAME(gradients_part),
	NAME(backward),
	NAME(backward_part),
	NAME(rows_backward),
	NAME(clip_backward),
};

KERNELS_END
