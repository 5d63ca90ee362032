/* SPDX-License-Identifier: MIT */
/* What any processor of the architecture can run: two doubles at a time. Private to norm/. */
#pragma once

#define KERNELS_WIDTH 2
#define KERNELS_END
