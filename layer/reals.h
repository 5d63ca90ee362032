/* SPDX-License-Identifier: MIT */
/* What the kernels know of codec's datatypes. */
#ifndef LAYER_REALS_H
#define LAYER_REALS_H

#include "codec/tensor.h"
#include "norm/view.h"

/* The kernels' name of a datatype. */
enum norm_real real_of(enum datatype datatype);

/* Widens the values of a tensor to doubles; `out` has t->count. */
void real_widen(const struct tensor *t, double *out);

/* The largest number of a datatype; the gap between 1 and its next number. */
double real_largest(enum datatype datatype);
double real_epsilon(enum datatype datatype);

#endif
