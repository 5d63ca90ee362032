/* SPDX-License-Identifier: MIT */
/* What any processor of the architecture can run: two doubles at a time. Private to norm/. */
#ifndef NORM_KERNELS_PORTABLE_H
#define NORM_KERNELS_PORTABLE_H

#define KERNELS_WIDTH 2
#define KERNELS_END

#endif
