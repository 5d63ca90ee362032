/* SPDX-License-Identifier: MIT */
/* GET .../versions, and GET and DELETE of one. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/quote.h"
#include "handlers/handlers.h"
#include "handlers/state_digest.h"
#include "handlers/states.h"
#include "handlers/version_answer.h"

void
version_begin(struct buf *b, const struct store_version *version)
{
	char stamp[CLOCK_STAMP_BYTES], digest[SHA256_TEXT_BYTES];

	clock_second_stamp(version->created_s, stamp);
	sha256_format(version->digest, digest);
	buf_printf(b, "{\"version\":%" PRIu64 ",\"created\":\"%s\",\"note\":", version->number, stamp);
	quote_json(b, version->note);
	buf_printf(b, ",\"digest\":\"%s\"", digest);
}

size_t
version_list_values(const struct request *rq)
{
	return rq->op.kind == STORE_VERSIONS_GET ? rq->op.versions.count * NOTE_VALUES : 0;
}

int
version_list(struct request *rq, struct err *e)
{
	struct page page;

	if (page_get_numbered(rq, &page, e) < 0)
		return -1;
	request_store(rq, STORE_VERSIONS_GET);
	rq->op.versions =
	    (struct store_versions){ .model = rq->model, .after = page.after_number, .limit = page.limit };
	return budget_ask(&rq->workspace.memory, page.limit * sizeof(struct store_version), e);
}

int
version_list_finish(struct request *rq, struct err *e)
{
	const struct store_versions *page = &rq->op.versions;
	struct buf *b = &rq->reply.text;

	(void)e;
	buf_text(b, "{\"versions\":[");
	for (size_t i = 0; i < page->count; i++) {
		buf_text(b, i == 0 ? "" : ",");
		version_begin(b, &page->entries[i]);
		buf_byte(b, '}');
	}
	page_end_numbered(b, page->more ? page->entries[page->count - 1].number : 0);
	store_op_fini(&rq->op);
	return 0;
}

/* Kept between the steps of GET of one version. */
struct showing {
	struct states_reading reading;
	size_t limit;
	char name[24]; /* the version's number: an alias may move meanwhile */
};

int
version_get(struct request *rq, struct err *e)
{
	struct showing *s = workspace_alloc(&rq->workspace, sizeof(*s), e);
	struct page page;

	if (s == NULL || page_get(rq, &page, e) < 0)
		return -1;
	rq->scratch = s;
	s->limit = page.limit;
	if (page.after != NULL)
		snprintf(s->reading.after, sizeof(s->reading.after), "%s", page.after);
	request_store(rq, STORE_VERSIONS_GET);
	rq->op.versions = (struct store_versions){ .model = rq->model, .name = rq->version, .limit = 1 };
	return budget_ask(&rq->workspace.memory, sizeof(struct store_version), e);
}

static void
add_layer(struct buf *b, const struct snapshot *state)
{
	buf_text(b, "{\"name\":");
	quote_json(b, state->identity->name);
	buf_printf(b, ",\"revision\":%" PRIu64, state->revision);
	state_digest_show(b, state);
	buf_byte(b, '}');
}

/* The version is known: asks for its layers. */
static int
begin_layers(struct request *rq, struct showing *s)
{
	version_begin(&rq->reply.text, rq->op.versions.entries);
	buf_text(&rq->reply.text, ",\"layers\":[");
	snprintf(s->name, sizeof(s->name), "%" PRIu64, rq->op.versions.entries->number);
	s->reading.which = (struct store_which){ .kind = STORE_NAMED, .name = s->name };
	states_ask(rq, &s->reading, s->limit);
	return 0;
}

int
version_get_finish(struct request *rq, struct err *e)
{
	struct showing *s = rq->scratch;
	const struct store_states *page = &rq->op.states;
	struct buf *b = &rq->reply.text;
	bool more;

	(void)e;
	if (rq->op.kind == STORE_VERSIONS_GET)
		return begin_layers(rq, s);
	for (size_t i = 0; i < page->count; i++) {
		buf_text(b, i == 0 ? "" : ",");
		add_layer(b, page->entries[i]);
	}
	more = states_end_page(rq, &s->reading);
	page_end(b, more ? s->reading.after : NULL);
	return 0;
}

int
version_delete(struct request *rq, struct err *e)
{
	(void)e;
	rq->write.version.name = rq->version;
	request_write(rq, STORE_VERSION_DELETE);
	return 0;
}
