/* SPDX-License-Identifier: MIT */
#include "norm/widen.h"

#include "norm/kernels/element.h"

void
norm_widen(enum norm_real real, const void *x, size_t n, double *out)
{
	const uint16_t *bits = x;
	size_t i;

	switch (real) {
	case NORM_FLOAT:
		for (i = 0; i < n; i++)
			out[i] = load_float(((const float *)x)[i]);
		break;
	case NORM_DOUBLE:
		for (i = 0; i < n; i++)
			out[i] = load_double(((const double *)x)[i]);
		break;
	case NORM_HALF:
		for (i = 0; i < n; i++)
			out[i] = load_half(bits[i]);
		break;
	case NORM_BFLOAT:
		for (i = 0; i < n; i++)
			out[i] = load_bfloat(bits[i]);
		break;
	}
}
