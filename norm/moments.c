#include "norm/moments.h"

#include "norm/kernels.h"

void
moments(enum norm_real real, const void *x, struct norm_view view, double *mean, double *var)
{
	kernels_best()->of[real].moments(x, view, mean, var);
}
