/* SPDX-License-Identifier: MIT */
#include "layer/reals.h"

#include <float.h>

#include "norm/widen.h"

static const struct real_row {
	enum norm_real real;
	double largest;
	double epsilon;
} reals[DATATYPE_COUNT] = {
	[DATATYPE_FP32] = { NORM_FLOAT, (double)FLT_MAX, (double)FLT_EPSILON },
	[DATATYPE_FP64] = { NORM_DOUBLE, DBL_MAX, DBL_EPSILON },
	[DATATYPE_FP16] = { NORM_HALF, 65504, 0x1p-10 },
	[DATATYPE_BF16] = { NORM_BFLOAT, 0x1.fep127, 0x1p-7 },
};

enum norm_real
real_of(enum datatype datatype)
{
	return reals[datatype].real;
}

void
real_widen(const struct tensor *t, double *out)
{
	norm_widen(real_of(t->datatype), t->values, t->count, out);
}

double
real_largest(enum datatype datatype)
{
	return reals[datatype].largest;
}

double
real_epsilon(enum datatype datatype)
{
	return reals[datatype].epsilon;
}
