/* The loops for bfloats, for AVX2. */
#include "norm/kernels.h"

#if KERNELS_X86
#include "norm/kernels_avx2.h"
#define KERNELS kernels_avx2_bfloat
#include "norm/kernels_bfloat.h"
#endif
