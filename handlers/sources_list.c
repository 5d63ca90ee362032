/* SPDX-License-Identifier: MIT */
/* GET .../statistics/sources: pages of sources, each with its distance from the pool. */
#include "handlers/comparison.h"
#include "handlers/doubles.h"
#include "handlers/handlers.h"
#include "handlers/page.h"
#include "handlers/reply.h"
#include "handlers/source_calls.h"
#include "layer/distance.h"

/* A distance takes 1 us, as long as writing this many numbers. */
#define DISTANCE_VALUES ((size_t)20)

size_t
sources_values(const struct request *rq)
{
	const struct store_sources *page = &rq->op.sources;

	if (rq->op.kind != STORE_SOURCES_GET || page->snapshot == NULL)
		return 0;
	return page->count * page->snapshot->statistics.features * DISTANCE_VALUES;
}

int
sources_list(struct request *rq, struct err *e)
{
	struct page page;

	if (sources_check_layer(rq, e) < 0 || page_get(rq, &page, e) < 0)
		return -1;
	request_store(rq, STORE_SOURCES_GET);
	rq->op.sources = (struct store_sources){ .model = rq->model,
		.layer = rq->layer,
		.after = page.after,
		.limit = page.limit,
		.memory = &rq->workspace.memory };
	return 0;
}

/* What a page is compared with, and the room to do so. */
struct comparison {
	size_t features;
	struct moments pool;
	struct distance *distances; /* by feature */
	double *room;               /* a double a feature */
};

static int
comparison_init(struct comparison *c, struct request *rq, const struct snapshot *s, struct err *e)
{
	c->features = s->statistics.features;
	c->distances = workspace_array(&rq->workspace, c->features, sizeof(*c->distances), e);
	if (c->distances == NULL || workspace_doubles(&rq->workspace, c->features, &c->room, e) < 0)
		return -1;
	return comparison_reference(rq, s, &c->pool, e);
}

static void
add_source(struct buf *b, const struct comparison *c, const struct store_source *source)
{
	struct distance max, median;

	distance_measure(&source->totals, &c->pool, c->features, c->distances);
	distance_summarize(c->distances, c->features, c->room, &max, &median);
	sources_format_head(b, source);
	buf_text(b, ",\"max\":{");
	distance_format(b, &max);
	buf_text(b, "},\"median\":{");
	distance_format(b, &median);
	buf_text(b, "}}");
}

int
sources_list_finish(struct request *rq, struct err *e)
{
	const struct store_sources *page = &rq->op.sources;
	struct buf *b = &rq->reply.text;
	struct comparison c;

	if (comparison_init(&c, rq, page->snapshot, e) < 0)
		return -1;
	buf_text(b, "{\"sources\":[");
	for (size_t i = 0; i < page->count; i++) {
		buf_text(b, i == 0 ? "" : ",");
		add_source(b, &c, &page->entries[i]);
	}
	page_end(b, page->more ? page->entries[page->count - 1].name : NULL);
	reply_revision(&rq->reply, page->snapshot->revision);
	store_op_fini(&rq->op);
	return 0;
}
