/* The loops for floats, for AVX-512. */
#include "norm/kernels.h"

#if KERNELS_X86
#include "norm/kernels_avx512.h"
#define KERNELS kernels_avx512_float
#include "norm/kernels_float.h"
#endif
