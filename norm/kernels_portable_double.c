/* The loops for doubles, for any processor. */
#include "norm/kernels_portable.h"
#define KERNELS kernels_portable_double
#include "norm/kernels_double.h"
