/* SPDX-License-Identifier: MIT */
/*
 * GET and PUT .../serving: which state of a model inference reads where a request names none; GET .../serving/history:
 * how that changed.
 */
#include "base/clock.h"
#include "base/quote.h"
#include "handlers/handlers.h"
#include "handlers/version_members.h"

const struct input *const serving_put_inputs[] = { &version_member_input, &note_input, &time_shown_input, NULL };

/* An answer without its note. */
#define ANSWER_BYTES ((size_t)128)

/* Opens the object that a switch is, and writes its time. */
static void
begin_switch(struct buf *b, const struct store_switch *s)
{
	char stamp[CLOCK_STAMP_BYTES];

	clock_second_stamp(s->time_s, stamp);
	buf_printf(b, "{\"time\":\"%s\"", stamp);
}

static void
add_note(struct buf *b, const char *note)
{
	buf_text(b, ",\"note\":");
	quote_json(b, note);
}

/* What serves since the latest switch; zeroed: it was always live. */
static int
answer(struct request *rq, const struct store_switch *latest)
{
	struct buf *b = &rq->reply.text;

	if (latest->id != 0)
		begin_switch(b, latest);
	else
		buf_text(b, "{\"time\":null");
	buf_text(b, ",\"version\":");
	version_format_number(b, latest->to);
	add_note(b, latest->note);
	buf_byte(b, '}');
	return 0;
}

/* Asks for `limit` switches from before `before` on. */
static int
ask_switches(struct request *rq, size_t limit, uint64_t before, struct err *e)
{
	request_store(rq, STORE_SWITCHES_GET);
	rq->op.switches = (struct store_switches){ .model = rq->model, .before = (int64_t)before, .limit = limit };
	return budget_ask(&rq->workspace.memory, limit * sizeof(struct store_switch), e);
}

int
serving_get(struct request *rq, struct err *e)
{
	return ask_switches(rq, 1, 0, e);
}

int
serving_get_finish(struct request *rq, struct err *e)
{
	const struct store_switch never = { 0 };

	(void)e;
	return answer(rq, rq->op.switches.count > 0 ? rq->op.switches.entries : &never);
}

/* Room for the answer is made before the switch: the note may be that of an earlier one. */
int
serving_put(struct request *rq, struct err *e)
{
	struct store_switch *latest = workspace_alloc(&rq->workspace, sizeof(*latest), e);

	if (latest == NULL)
		return -1;
	rq->write.version.switched = latest;
	(void)buf_reserve(&rq->reply.text, ANSWER_BYTES + NOTE_JSON_MAX);
	if (version_member_get(rq, true, &rq->write.version.name, e) < 0 ||
	    note_get(rq, &rq->write.version.note, e) < 0)
		return -1;
	request_write(rq, STORE_SERVE);
	return 0;
}

int
serving_put_finish(struct request *rq, struct err *e)
{
	(void)e;
	return answer(rq, rq->write.version.switched);
}

size_t
serving_history_values(const struct request *rq)
{
	return rq->op.kind == STORE_SWITCHES_GET ? rq->op.switches.count * NOTE_VALUES : 0;
}

int
serving_history(struct request *rq, struct err *e)
{
	struct page page;

	return page_get_numbered(rq, &page, e) < 0 ? -1 : ask_switches(rq, page.limit, page.after_number, e);
}

int
serving_history_finish(struct request *rq, struct err *e)
{
	const struct store_switches *page = &rq->op.switches;
	struct buf *b = &rq->reply.text;

	(void)e;
	buf_text(b, "{\"history\":[");
	for (size_t i = 0; i < page->count; i++) {
		buf_text(b, i == 0 ? "" : ",");
		begin_switch(b, &page->entries[i]);
		buf_text(b, ",\"from\":");
		version_format_number(b, page->entries[i].from);
		buf_text(b, ",\"to\":");
		version_format_number(b, page->entries[i].to);
		add_note(b, page->entries[i].note);
		buf_byte(b, '}');
	}
	page_end_numbered(b, page->more ? (uint64_t)page->entries[page->count - 1].id : 0);
	store_op_fini(&rq->op);
	return 0;
}
