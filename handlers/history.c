/* SPDX-License-Identifier: MIT */
/* GET .../history: the spread of a layer's running statistics over time, its present state first. */
#include <inttypes.h>
#include <math.h>

#include "base/clock.h"
#include "codec/json_write.h"
#include "handlers/doubles.h"
#include "handlers/handlers.h"
#include "handlers/page.h"
#include "handlers/reply.h"

/* The numbers of an entry. */
#define MOMENT_VALUES ((size_t)11)

size_t
history_values(const struct request *rq)
{
	return rq->op.kind == STORE_HISTORY_GET ? rq->op.history.count * MOMENT_VALUES : 0;
}

int
history_get(struct request *rq, struct err *e)
{
	struct page page;

	if (doubles_check_tracks(rq, e) < 0 || page_get_numbered(rq, &page, e) < 0)
		return -1;
	request_store(rq, STORE_HISTORY_GET);
	rq->op.history = (struct store_history){ .model = rq->model,
		.layer = rq->layer,
		.before = page.after_number,
		.limit = page.limit,
		.memory = &rq->workspace.memory };
	return 0;
}

static void
add_spread(struct buf *b, const char *name, const struct spread *s)
{
	buf_printf(b, ",\"%s\":{\"min\":", name);
	json_add_double(b, s->min);
	buf_text(b, ",\"median\":");
	json_add_double(b, s->median);
	buf_text(b, ",\"max\":");
	json_add_double(b, s->max);
	buf_byte(b, '}');
}

static void
add_moment(struct buf *b, const struct store_moment *m)
{
	char time[CLOCK_STAMP_BYTES];

	clock_second_stamp(m->time_s, time);
	if (m->time_s == 0)
		buf_text(b, "{\"time\":null");
	else
		buf_printf(b, "{\"time\":\"%s\"", time);
	buf_printf(
	    b, ",\"revision\":%" PRIu64 ",\"num_batches_tracked\":%" PRIu64, m->revision, m->num_batches_tracked);
	add_spread(b, "mean", &m->mean);
	add_spread(b, "var", &m->var);
	buf_text(b, ",\"drift\":");
	if (isnan(m->drift))
		buf_text(b, "null");
	else
		json_add_double(b, m->drift);
	buf_byte(b, '}');
}

/*
 * Whether the layer's state is an entry: on the first page, if there were ever statistics, and inference has not made a
 * row of it.
 */
static bool
shows_present(const struct store_history *page)
{
	if (page->before != 0)
		return false;
	return page->count == 0 ? page->snapshot->statistics.mean != NULL :
				  page->entries[0].revision != page->snapshot->revision;
}

/* The present state takes an entry's place, so the last one of the store's may have to wait for the next page. */
int
history_get_finish(struct request *rq, struct err *e)
{
	const struct store_history *page = &rq->op.history;
	const bool present = shows_present(page);
	const size_t count = page->count - (present && page->count == page->limit);
	struct buf *b = &rq->reply.text;
	struct store_moment now;
	uint64_t next = 0;

	(void)e;
	buf_text(b, "{\"history\":[");
	if (present) {
		store_moment_of(page->snapshot, &now);
		now.drift = page->drift;
		add_moment(b, &now);
	}
	for (size_t i = 0; i < count; i++) {
		buf_text(b, i == 0 && !present ? "" : ",");
		add_moment(b, &page->entries[i]);
	}
	if (count < page->count)
		next = page->entries[count].number + 1;
	else if (page->more)
		next = page->entries[count - 1].number;
	page_end_numbered(b, next);
	reply_revision(&rq->reply, page->snapshot->revision);
	store_op_fini(&rq->op);
	return 0;
}
