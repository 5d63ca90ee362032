/* What any processor of the architecture can run. */
#define KERNELS kernels_portable
#define KERNELS_NAME "portable"
#include "norm/kernels_body.h"
