/* The loops for bfloats, for any processor. */
#include "norm/kernels_portable.h"
#define KERNELS kernels_portable_bfloat
#include "norm/kernels_bfloat.h"
