/* The set for any processor. */
#include "norm/kernels_portable.h"
#include "norm/kernels_table.h"

KERNELS_TABLE(kernels_portable, "portable")

KERNELS_END
