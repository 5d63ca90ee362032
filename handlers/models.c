/* SPDX-License-Identifier: MIT */
/* The list of models, and the list of a model's layers: paginated, and sorted by the bytes of names. */
#include <inttypes.h>

#include "base/quote.h"
#include "handlers/definition_stored.h"
#include "handlers/handlers.h"
#include "handlers/page.h"

/* Parsing and writing a definition takes 45 us, as long as writing this many numbers. */
#define LAYER_VALUES ((size_t)900)

/* The memory of an entry in the store's answer: name, definition, malloc's overhead. */
#define ENTRY_BYTES ((size_t)1024)
_Static_assert(sizeof(struct store_entry) <= ENTRY_BYTES / 2, "an entry and its definition fit");

/* Reads which page is asked for into the operation. */
static int
page_query(struct request *rq, struct err *e)
{
	struct page page;

	if (page_get(rq, &page, e) < 0)
		return -1;
	rq->op.list = (struct store_list){ .model = rq->model,
		.after = page.after,
		.limit = page.limit,
		.prefixes = rq->caller->prefixes,
		.prefix_count = rq->caller->prefix_count };
	return budget_ask(&rq->workspace.memory, page.limit * ENTRY_BYTES, e);
}

/* Ends the page, and frees the entries. */
static void
end_page(struct request *rq)
{
	const struct store_list *list = &rq->op.list;

	page_end(&rq->reply.text, list->more ? list->entries[list->count - 1].name : NULL);
	store_op_fini(&rq->op);
}

size_t
models_values(const struct request *rq)
{
	return rq->op.list.count;
}

size_t
layers_values(const struct request *rq)
{
	return rq->op.list.count * LAYER_VALUES;
}

int
models_list(struct request *rq, struct err *e)
{
	request_store(rq, STORE_MODEL_LIST);
	return page_query(rq, e);
}

int
models_list_finish(struct request *rq, struct err *e)
{
	struct buf *b = &rq->reply.text;

	(void)e;
	buf_text(b, "{\"models\":[");
	for (size_t i = 0; i < rq->op.list.count; i++) {
		buf_text(b, i == 0 ? "" : ",");
		quote_json(b, rq->op.list.entries[i].name);
	}
	end_page(rq);
	return 0;
}

int
model_get(struct request *rq, struct err *e)
{
	request_store(rq, STORE_LAYER_LIST);
	return page_query(rq, e);
}

static int
add_layer(struct buf *b, const struct store_entry *entry, struct err *e)
{
	const struct definition *d = definition_ops.parse(entry->definition, e);

	if (d == NULL)
		return -1;
	buf_text(b, "{\"name\":");
	quote_json(b, entry->name);
	buf_printf(b, ",\"revision\":%" PRIu64 ",\"frozen\":%s,\"definition\":", entry->revision,
	    entry->frozen ? "true" : "false");
	definition_format(b, d, entry->features);
	buf_byte(b, '}');
	definition_ops.free(d);
	return 0;
}

int
model_get_finish(struct request *rq, struct err *e)
{
	struct buf *b = &rq->reply.text;

	buf_text(b, "{\"name\":");
	quote_json(b, rq->model);
	buf_text(b, ",\"layers\":[");
	for (size_t i = 0; i < rq->op.list.count; i++) {
		buf_text(b, i == 0 ? "" : ",");
		if (add_layer(b, &rq->op.list.entries[i], e) < 0)
			return -1;
	}
	end_page(rq);
	return 0;
}

int
model_delete(struct request *rq, struct err *e)
{
	(void)e;
	request_write(rq, STORE_MODEL_DELETE);
	return 0;
}

/* A later model of that name is loaded and unused. Also if the client has hung up. */
void
model_delete_end(struct request *rq)
{
	if (rq->model != NULL && request_stored(rq))
		usage_forget(rq->usage, rq->model);
	rq->model = NULL; /* when this is called again, the arena's memory may be gone */
}

int
no_content_finish(struct request *rq, struct err *e)
{
	(void)e;
	rq->reply.status = 204;
	return 0;
}
