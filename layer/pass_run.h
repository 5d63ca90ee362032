/* SPDX-License-Identifier: MIT */
/*
 * Runs a pass of norm/ over a whole tensor. A large tensor (CUT_FROM in norm/cut.h) is cut into parts for the idle
 * threads of the crew, with the same bits; the caller alone computes a small one, at no extra cost.
 */
#pragma once

#include "base/crew.h"
#include "norm/pass.h"

/*
 * Runs all of `p`; crew: NULL for the caller alone. Returns whether every element that it wrote is finite. The caller
 * provides p->scratch as p->op asks for.
 */
bool pass_run(struct crew *crew, const struct norm_pass *p);
