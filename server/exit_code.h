/* SPDX-License-Identifier: MIT */
/* What the program exits with. A supervisor restarts it after 1 and not after 2 (RestartPreventExitStatus=2). */
#pragma once

#include "base/err.h"

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/*
 * bad_parameter is what the operator must correct: a setting, or what a setting names. Anything else may have passed at
 * the next start: an address that is taken, a full disk, a store that another process uses.
 */
static inline enum exit_code
exit_code_of(const struct err *e)
{
	return e->code == ERR_NONE ? EXIT_DONE : e->code == ERR_BAD_PARAMETER ? EXIT_USAGE : EXIT_FAILED;
}
