/* SPDX-License-Identifier: MIT */
/*
 * torture_power [SEED]: ten thousand power cuts under the store's own setting, a thousand of them within the recovery
 * of another, with nothing lost and nothing corrupt; then fewer under synchronous=NORMAL, which must lose something, or
 * else the cuts are none.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/disk/power.h"

static void
print(const char *mode, const struct power_counts *c)
{
	printf(
	    "%s: %u cuts, %u of them in recovery: %u corrupt; %u acknowledged operations, %u of them lost in %u cuts; "
	    "%u transactions that were cut are there whole\n",
	    mode, c->cuts, c->in_recovery, c->corrupt, c->acknowledged, c->lost, c->losing, c->kept);
	if (c->failed > 0)
		printf("  and %u operations were told to have failed, none of which is there\n", c->failed);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL) * 1000;
	struct power_plan full = { .seed = seed, .cuts = 10000, .in_recovery = 1000, .synchronous = 2 };
	struct power_plan faults = { .seed = seed, .cuts = 5000, .synchronous = 2, .faults = true };
	struct power_plan normal = { .seed = seed, .cuts = 2000, .synchronous = 1, .quiet = true };
	struct power_counts counts, counts_faults, control;

	printf("power cuts, seeds from %" PRIu64 " on\n", seed);
	power_run(&full, &counts);
	print("FULL", &counts);
	power_run(&faults, &counts_faults);
	print("FULL, after calls that failed", &counts_faults);
	power_run(&normal, &control);
	print("NORMAL", &control);
	if (counts.corrupt == 0 && counts.lost == 0 && counts_faults.corrupt == 0 && counts_faults.lost == 0 &&
	    control.corrupt == 0 && control.lost > 0)
		return EXIT_SUCCESS;
	printf("FULL must lose and corrupt nothing, NORMAL must lose something and corrupt nothing\n");
	return EXIT_FAILURE;
}
