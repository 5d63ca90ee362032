/* SPDX-License-Identifier: MIT */
/* What is tried now, and what came of it. */
#pragma once

#include "tests/memory/fault.h"

struct trial {
	const char *name;
	unsigned long n; /* the allocation that fails */
	enum fault_mode mode;
	enum fault_scope scope;
	bool struck; /* there was an n-th allocation */
	bool failed;
	unsigned long injected;

	/* Of the whole run. */
	unsigned long passed_total, failed_total, injected_total;
};

extern struct trial trial;

/* Begins with n = 0. */
void trial_begin(const char *name);
void trial_sweep(enum fault_mode mode, enum fault_scope scope);

/* The next n; false after one that struck nothing any more. */
bool trial_next(void);

/* Memory fails from here to there. */
void trial_arm(void);
void trial_disarm(void);

/* Something is not as it must be: says so, goes on. */
void trial_complain(const char *what, const char *detail);

/* The line of the trial. */
void trial_end(void);

/* Without this nothing else makes sense: ends the program. */
void must(bool fine, const char *what);
