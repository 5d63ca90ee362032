/* SPDX-License-Identifier: MIT */
/* What the kernels know of codec's datatypes. */
#pragma once

#include "codec/tensor.h"
#include "norm/view.h"

struct real {
	enum norm_real real; /* the kernels' name of it */
	double largest;
	double epsilon; /* the gap between 1 and the next number */
};

/* Of the datatypes that a tensor to normalize can have. */
extern const struct real reals[DATATYPE_COUNT];

/* Widens the values of a tensor to doubles; `out` has t->count. */
void real_widen(const struct tensor *t, double *out);
