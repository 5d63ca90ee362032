/* The set for AVX-512. */
#include "norm/kernels.h"

#if KERNELS_X86
#include "norm/kernels_avx512.h"
#include "norm/kernels_table.h"

KERNELS_TABLE(kernels_avx512, "avx512")

KERNELS_END
#endif
