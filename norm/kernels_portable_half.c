/* The loops for halves, for any processor. */
#include "norm/kernels_portable.h"
#define KERNELS kernels_portable_half
#include "norm/kernels_half.h"
