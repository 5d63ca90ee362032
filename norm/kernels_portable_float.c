/* The loops for floats, for any processor. */
#include "norm/kernels_portable.h"
#define KERNELS kernels_portable_float
#include "norm/kernels_float.h"
