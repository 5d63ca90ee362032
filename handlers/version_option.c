/* SPDX-License-Identifier: MIT */
/* The option version: which state of a model a call reads. */
#include "handlers/placeholders.h"
#include "handlers/routes.h"

const struct input version_input = { "version", INPUT_TEXT, .places = INPUT_QUERY };

int
version_which(const struct request *rq, struct store_which *out, struct err *e)
{
	struct err why;

	*out = (struct store_which){ .kind = rq->route->reads_serving ? STORE_SERVING : STORE_LIVE };
	if (rq->query_count == 0 || (out->name = input_query(rq, &version_input)) == NULL)
		return 0;
	out->kind = STORE_NAMED;
	if (placeholders_check_name("alias", out->name, &why) == 0)
		return 0;
	return err_fail(e, ERR_BAD_PARAMETER,
	    "\"version\" in the query must be a version's number, an alias or \"live\"; it is \"%.140s\"", out->name);
}
