/* SPDX-License-Identifier: MIT */
#include "handlers/call_options.h"

#include "layer/definition.h"

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
