/* What any processor of the architecture can run. */
#define KERNELS kernels_portable
#define KERNELS_NAME "portable"
#define KERNELS_WIDTH 2
#include "norm/kernels_body.h"
