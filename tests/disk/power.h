/* SPDX-License-Identifier: MIT */
/*
 * Power cuts, one after the other, while the store works, opens, recovers and closes: what must be there afterwards,
 * and what is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct power_plan {
	uint64_t seed;
	unsigned cuts;        /* stop when there were so many, ... */
	unsigned in_recovery; /* ... and so many of them in the recovery of an earlier one */
	int synchronous;      /* what the store sets is 2 (FULL); 1: NORMAL, 0: OFF, set behind its back */
	bool faults;          /* in some rounds a call of the disk fails, too, before the power does */
	bool lying_disk;      /* syncs do nothing */
	bool quiet;           /* does not print what it finds */
};

struct power_counts {
	unsigned cuts;
	unsigned in_recovery;  /* of the cuts: while the store was opened after an earlier one */
	unsigned corrupt;      /* cuts after which the store did not open, was not sound, or held what it never did */
	unsigned losing;       /* cuts that lost something that had been acknowledged */
	unsigned acknowledged; /* operations, all in all */
	unsigned lost;         /* of these, not there after the cut */
	unsigned kept;         /* cuts after which a transaction that was under way was wholly there */
	unsigned failed;       /* operations that a fault made fail before the cut: none of them may be there */
};

/*
 * The disks are formatted anew now and then, each time with a seed of its own, which is printed with what goes wrong.
 */
void power_run(const struct power_plan *plan, struct power_counts *counts);
