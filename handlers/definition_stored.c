/* SPDX-License-Identifier: MIT */
#include "handlers/definition_stored.h"

#include <stdint.h>
#include <stdlib.h>

#include "handlers/option.h"

int
definition_read(void *parsed, const struct cJSON *object, struct err *e)
{
	return definition_parse(object, NULL, parsed, e);
}

static const void *
parse_stored(const char *text, struct err *e)
{
	struct definition *d = malloc(sizeof(*d));

	if (d == NULL) {
		err_set_memory(e);
		return NULL;
	}
	if (option_parse(text, definition_read, d, e) == 0)
		return d;
	if (e->code != ERR_OVERLOADED)
		e->code = ERR_STORAGE_UNAVAILABLE; /* the file is at fault, not the request */
	free(d);
	return NULL;
}

static void
free_stored(const void *parsed)
{
	free((void *)(uintptr_t)parsed);
}

int
definition_judge(const void *parsed, size_t features, size_t weight_count, size_t bias_count, struct err *e)
{
	const struct definition *d = parsed;
	size_t count = definition_parameter_count(d, features);

	if (features != d->num_features && (d->num_features != 0 || !definition_may_track(d)))
		return err_fail(e, ERR_BAD_PARAMETER, "it has %zu feature%s, its definition says %zu", features,
		    err_plural(features), d->num_features);
	if ((weight_count != 0 && weight_count != count) || (bias_count != 0 && bias_count != count))
		return err_fail(e, ERR_BAD_PARAMETER,
		    "its weight has %zu value%s and its bias %zu, instead of %zu each", weight_count,
		    err_plural(weight_count), bias_count, count);
	return 0;
}

const struct store_definition_ops definition_ops = { .parse = parse_stored, .free = free_stored };
