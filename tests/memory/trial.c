/* SPDX-License-Identifier: MIT */
#include "tests/memory/trial.h"

#include <stdio.h>
#include <stdlib.h>

struct trial trial;

void
trial_begin(const char *name)
{
	trial.name = name;
	trial.n = 0;
	trial.failed = false;
	trial.injected = 0;
}

void
trial_sweep(enum fault_mode mode, enum fault_scope scope)
{
	trial.n = 0;
	trial.mode = mode;
	trial.scope = scope;
	trial.struck = true;
}

bool
trial_next(void)
{
	trial.n++;
	return trial.struck;
}

void
trial_arm(void)
{
	fault_arm(trial.n, trial.mode, trial.scope);
}

void
trial_disarm(void)
{
	trial.struck = fault_disarm() >= trial.n;
	trial.injected += trial.struck;
}

void
trial_complain(const char *what, const char *detail)
{
	trial.failed = true;
	printf("not ok %s: allocation %lu fails%s%s: %s%s%.600s\n", trial.name, trial.n,
	    trial.mode == FAULT_ONCE ? "" : ", and all later ones",
	    trial.scope == FAULT_OURS ? "" : ", libmicrohttpd's too", what, *detail == '\0' ? "" : ": ", detail);
}

void
trial_end(void)
{
	trial.passed_total += !trial.failed;
	trial.failed_total += trial.failed;
	trial.injected_total += trial.injected;
	printf("%s %s: %lu allocations failed\n", trial.failed ? "not ok" : "ok", trial.name, trial.injected);
	fflush(stdout);
}

void
must(bool fine, const char *what)
{
	if (fine)
		return;
	printf("not ok %s: %s\n%lu passed, %lu failed\n", trial.name, what, trial.passed_total, trial.failed_total + 1);
	fflush(stdout);
	abort();
}
