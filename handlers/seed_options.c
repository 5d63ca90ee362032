/* SPDX-License-Identifier: MIT */
#include "handlers/seed_options.h"

#include "layer/definition.h"
#include "handlers/input.h"

int
seed_options_get(const struct request *rq, const struct cJSON *body, uint64_t *seed, bool *given, struct err *e)
{
	const struct cJSON *member = envelope_get(body, "seed");
	const char *text = request_query(rq, "seed");
	bool good = true;

	if (text != NULL && member != NULL)
		return err_fail(e, ERR_BAD_PARAMETER, "\"seed\" is given both in the query and in the body");
	*given = text != NULL || member != NULL;
	if (*given && !rq->definition->shuffle)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "layer \"%s\" does not shuffle, so that \"seed\" has no meaning for it", rq->layer);
	if (text != NULL)
		good = request_parse_uint(text, seed) == 0;
	else if (member != NULL)
		good = envelope_type(member) == ENVELOPE_NUMBER && envelope_uint64(member, seed) == 0;
	return good ? 0 : err_fail(e, ERR_BAD_PARAMETER, "\"seed\" must be a whole number from 0 to 2^64 - 1");
}
