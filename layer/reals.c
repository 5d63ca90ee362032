/* SPDX-License-Identifier: MIT */
#include "layer/reals.h"

#include <float.h>

#include "norm/widen.h"

const struct real reals[DATATYPE_COUNT] = {
	[DATATYPE_FP32] = { NORM_FLOAT, (double)FLT_MAX, (double)FLT_EPSILON },
	[DATATYPE_FP64] = { NORM_DOUBLE, DBL_MAX, DBL_EPSILON },
	[DATATYPE_FP16] = { NORM_HALF, 65504, 0x1p-10 },
	[DATATYPE_BF16] = { NORM_BFLOAT, 0x1.fep127, 0x1p-7 },
};

void
real_widen(const struct tensor *t, double *out)
{
	norm_widen(reals[t->datatype].real, t->values, t->count, out);
}
