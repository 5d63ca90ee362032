/* SPDX-License-Identifier: MIT */
#include "handlers/call_options.h"

#include <string.h>
#include <sys/random.h>

#include "layer/definition.h"

/* A double holds a seed of so many bits exactly: clients may read numbers as doubles. */
#define SEED_OWN_BITS 53

const struct input seed_input = { "seed", INPUT_UINT, INPUT_ANYWHERE, .max = UINT64_MAX, .stored = true };

int
seed_options_get(const struct request *rq, uint64_t *seed, bool *given, struct err *e)
{
	struct option o;

	if (option_find(rq, &seed_input, &o, e) < 0)
		return -1;
	*given = option_given(&o);
	if (*given && !rq->definition->shuffle)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "layer \"%s\" does not shuffle, so \"seed\" has no meaning for it: leave it out", rq->layer);
	return option_read(&seed_input, &o, seed, e);
}

int
seed_options_own(const struct request *rq, uint64_t *seed, struct err *e)
{
	unsigned char digest[DIGEST_BYTES];

	if (rq->digest != NULL) {
		digest_get(rq->digest, digest);
		memcpy(seed, digest, sizeof(*seed));
	} else if (getrandom(seed, sizeof(*seed), 0) != sizeof(*seed)) {
		return err_fail(e, ERR_OVERLOADED, "the system has no random numbers for the shuffle; name a \"seed\"");
	}
	*seed >>= 64 - SEED_OWN_BITS;
	return 0;
}
