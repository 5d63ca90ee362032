/* SPDX-License-Identifier: MIT */
/* POST .../statistics/sources/compact: folds finished sources into the part of the statistics that has none. */
#include <stdlib.h>
#include <string.h>

#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include "handlers/placeholders.h"
#include "handlers/source_calls.h"
#include "layer/definition.h"

static const struct input sources_input = { "sources", INPUT_TEXT, .places = INPUT_BODY, .needed = true };

const struct input *const sources_compact_inputs[] = { &sources_input, NULL };

/* How many names the list has; -1: it is not a list of names. */
static int
count_names(const struct cJSON *list, size_t *count, struct err *e)
{
	*count = 0;
	if (envelope_type(list) != ENVELOPE_ARRAY)
		return option_refuse(&sources_input, &(struct option){ .member = list },
		    "a list of the names of at most 4096 sources", e);
	for (const struct cJSON *name = envelope_first(list); name != NULL; name = envelope_next(name)) {
		if (envelope_type(name) != ENVELOPE_STRING)
			return option_refuse_value(&sources_input, *count, &(struct option){ .member = name },
			    "the name of a source, a string", e);
		if (++*count > STORE_SOURCES_MAX)
			return err_fail(e, ERR_BAD_PARAMETER,
			    "\"sources\" has more than %zu names, the most that a layer may have sources",
			    STORE_SOURCES_MAX);
		if (placeholders_check_name("source", envelope_text(name), e) < 0)
			return -1;
	}
	return 0;
}

static int
compare(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

/* The names in their order, so that the order of the list does not matter. */
static const char **
sort_names(struct request *rq, const struct cJSON *list, size_t count, struct err *e)
{
	const char **names = workspace_array(&rq->workspace, count, sizeof(*names), e);
	size_t n = 0;

	if (names == NULL)
		return NULL;
	for (const struct cJSON *name = envelope_first(list); name != NULL; name = envelope_next(name))
		names[n++] = envelope_text(name);
	qsort(names, count, sizeof(*names), compare);
	for (size_t i = 1; i < count; i++)
		if (strcmp(names[i - 1], names[i]) == 0) {
			err_set(e, ERR_BAD_PARAMETER, "\"sources\" names \"%s\" twice", names[i]);
			return NULL;
		}
	return names;
}

int
sources_compact(struct request *rq, struct err *e)
{
	const struct cJSON *list = envelope_get(body_envelope(rq->body), sources_input.name);
	size_t count;

	if (sources_check_layer(rq, e) < 0 || count_names(list, &count, e) < 0)
		return -1;
	if (count == 0)
		return counts_unchanged(rq, e);
	rq->write.fold.names = sort_names(rq, list, count, e);
	if (rq->write.fold.names == NULL)
		return -1;
	rq->write.fold.count = count;
	rq->write.fold.ddof = rq->definition->unbiased_running_var;
	request_write(rq, STORE_SOURCES_FOLD);
	idempotency_guard(rq);
	return 0;
}
