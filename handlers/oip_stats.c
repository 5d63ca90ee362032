/* SPDX-License-Identifier: MIT */
/*
 * GET /v2/models/stats, .../{model}/stats and .../versions/{version}/stats: the statistics of the Open Inference
 * Protocol, which are counters of this process (usage.h).
 */
#include <stdlib.h>
#include <string.h>

#include "base/quote.h"
#include "handlers/handlers.h"
#include "handlers/oip_version.h"
#include "handlers/usage.h"

/* To write an entry takes as long as this many numbers. */
#define ENTRY_VALUES ((size_t)30)

/* How many entries are copied at a time. */
#define LIST_STEP ((size_t)64)

static void
add_duration(struct buf *b, const char *name, uint64_t count, uint64_t ns)
{
	buf_text(b, name);
	buf_text(b, "{\"count\":");
	buf_uint(b, count);
	buf_text(b, ",\"ns\":");
	buf_uint(b, ns);
	buf_byte(b, '}');
}

/* Each call is one inference, whatever it holds, because a model has no batch size (its max_batch_size is 0). */
static void
add_entry(struct buf *b, const struct usage_entry *entry)
{
	const struct usage_counts *c = &entry->counts;

	buf_text(b, "{\"name\":");
	quote_json(b, entry->model);
	buf_text(b, ",\"version\":");
	oip_version_add(b, entry->version);
	buf_text(b, ",\"last_inference\":");
	buf_uint(b, (uint64_t)c->last_ms);
	buf_text(b, ",\"inference_count\":");
	buf_uint(b, c->succeeded);
	buf_text(b, ",\"execution_count\":");
	buf_uint(b, c->succeeded);
	add_duration(b, ",\"inference_stats\":{\"success\":", c->succeeded, c->success_ns);
	add_duration(b, ",\"fail\":", c->failed, c->fail_ns);
	add_duration(b, ",\"queue\":", c->succeeded, c->queue_ns);
	add_duration(b, ",\"compute_input\":", c->succeeded, c->input_ns);
	add_duration(b, ",\"compute_infer\":", c->succeeded, c->infer_ns);
	add_duration(b, ",\"compute_output\":", c->succeeded, c->output_ns);
	add_duration(b, ",\"cache_hit\":", 0, 0);
	add_duration(b, ",\"cache_miss\":", 0, 0);
	buf_text(b, "},\"batch_stats\":[]}");
}

static int
compare(const void *a, const void *b)
{
	const struct usage_entry *x = a, *y = b;
	const int order = strcmp(x->model, y->model);

	return order != 0 ? order : (x->version > y->version) - (x->version < y->version);
}

/* Answers the entries of a model or of all (NULL), sorted; where there are none, `otherwise`, unless that is NULL. */
static int
answer_list(struct request *rq, const char *model, const struct usage_entry *otherwise, struct err *e)
{
	const size_t max = usage_places_used(rq->usage) + LIST_STEP;
	struct usage_entry *entries = workspace_array(&rq->workspace, max, sizeof(*entries), e);
	struct buf *b = &rq->reply.text;
	size_t n = 0, at = 0;
	bool any = false;

	if (entries == NULL)
		return -1;
	while (at != USAGE_END && n < max)
		n += usage_list(rq->usage, model, &at, entries + n, max - n < LIST_STEP ? max - n : LIST_STEP);
	qsort(entries, n, sizeof(*entries), compare);
	buf_text(b, "{\"model_stats\":[");
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && compare(&entries[i - 1], &entries[i]) == 0)
			continue; /* it was forgotten and used again meanwhile */
		if (!caller_has_model(rq->caller, entries[i].model))
			continue;
		buf_text(b, any ? "," : "");
		any = true;
		add_entry(b, &entries[i]);
	}
	if (n == 0 && otherwise != NULL)
		add_entry(b, otherwise);
	buf_text(b, "]}");
	return 0;
}

size_t
oip_stats_values(const struct request *rq)
{
	return usage_places_used(rq->usage) * ENTRY_VALUES;
}

int
oip_stats_all(struct request *rq, struct err *e)
{
	return answer_list(rq, NULL, NULL, e);
}

int
oip_stats_get(struct request *rq, struct err *e)
{
	return oip_version_ask(rq, e);
}

/* A model that was not used has an entry of zeros too: clients take the difference of two answers. */
int
oip_stats_get_finish(struct request *rq, struct err *e)
{
	struct usage_entry entry = { .version = oip_version_take(rq) };

	memcpy(entry.model, rq->model, strnlen(rq->model, STORE_NAME_MAX));
	if (rq->version == NULL)
		return answer_list(rq, rq->model, &entry, e);
	usage_get(rq->usage, rq->model, entry.version, &entry.counts);
	buf_text(&rq->reply.text, "{\"model_stats\":[");
	add_entry(&rq->reply.text, &entry);
	buf_text(&rq->reply.text, "]}");
	return 0;
}
