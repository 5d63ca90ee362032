/* SPDX-License-Identifier: MIT */
/* Aliases: names for a model's versions. */
#include "base/quote.h"
#include "handlers/handlers.h"
#include "handlers/version_members.h"

/* GET shows it, so PUT accepts and ignores it. */
static const struct input alias_shown_input = { "alias", INPUT_TEXT, .places = INPUT_BODY };

const struct input *const alias_put_inputs[] = { &version_member_input, &alias_shown_input, NULL };

static void
add_alias(struct buf *b, const char *name, uint64_t number)
{
	buf_text(b, "{\"alias\":");
	quote_json(b, name);
	buf_text(b, ",\"version\":");
	buf_uint(b, number);
	buf_byte(b, '}');
}

/* An answer's bytes: a name and a number. */
#define ANSWER_BYTES (64 + STORE_NAME_MAX)

int
alias_get(struct request *rq, struct err *e)
{
	(void)e;
	request_store(rq, STORE_ALIASES_GET);
	rq->op.aliases = (struct store_aliases){ .model = rq->model, .name = rq->alias };
	return 0;
}

int
alias_get_finish(struct request *rq, struct err *e)
{
	(void)e;
	add_alias(&rq->reply.text, rq->alias, rq->op.aliases.entries->number);
	return 0;
}

int
alias_put(struct request *rq, struct err *e)
{
	(void)buf_reserve(&rq->reply.text, ANSWER_BYTES);
	rq->write.version.alias = rq->alias;
	if (version_member_get(rq, false, &rq->write.version.name, e) < 0)
		return -1;
	request_write(rq, STORE_ALIAS_PUT);
	return 0;
}

int
alias_put_finish(struct request *rq, struct err *e)
{
	(void)e;
	if (rq->write.result.created) {
		rq->reply.status = 201;
		rq->reply.has_location = true;
	}
	add_alias(&rq->reply.text, rq->alias, rq->write.version.number);
	return 0;
}

int
alias_delete(struct request *rq, struct err *e)
{
	(void)e;
	rq->write.version.alias = rq->alias;
	request_write(rq, STORE_ALIAS_DELETE);
	return 0;
}

int
aliases_list(struct request *rq, struct err *e)
{
	struct page page;

	if (page_get(rq, &page, e) < 0)
		return -1;
	request_store(rq, STORE_ALIASES_GET);
	rq->op.aliases = (struct store_aliases){ .model = rq->model, .after = page.after, .limit = page.limit };
	return budget_ask(&rq->workspace.memory, page.limit * sizeof(struct store_alias), e);
}

int
aliases_list_finish(struct request *rq, struct err *e)
{
	const struct store_aliases *page = &rq->op.aliases;
	struct buf *b = &rq->reply.text;

	(void)e;
	buf_text(b, "{\"aliases\":[");
	for (size_t i = 0; i < page->count; i++) {
		buf_text(b, i == 0 ? "" : ",");
		add_alias(b, page->entries[i].name, page->entries[i].number);
	}
	page_end(b, page->more ? page->entries[page->count - 1].name : NULL);
	store_op_fini(&rq->op);
	return 0;
}
