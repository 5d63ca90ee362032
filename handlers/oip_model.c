/* SPDX-License-Identifier: MIT */
/*
 * GET /v2/models/{model}: the metadata of the Open Inference Protocol; .../config: the same in the words of Triton's
 * ModelConfig; .../ready. Each layer is an input, and comes back as the output of its name.
 */
#include "base/quote.h"
#include "handlers/handlers.h"
#include "handlers/oip_version.h"
#include "handlers/states.h"
#include "handlers/usage.h"
#include "layer/shape.h"

/* The most versions of a page, which have long notes. */
#define VERSIONS_PAGE ((size_t)64)

/* How one of the two documents lists tensors: the texts before the lists, and around datatypes and shapes. */
struct listing {
	bool has_versions; /* before the inputs */
	const char *inputs, *outputs;
	const char *datatype, *shape;
	const char *input_end, *output_end;
};

static const struct listing metadata_listing = { true, "],\"platform\":\"normd\",\"inputs\":[", "],\"outputs\":[",
	"\",\"datatype\":\"", "\",\"shape\":[", "]}", "]}" };

/* Inputs are optional: a call may name some of the layers. Without a batch size, dims are all of a shape. */
static const struct listing config_listing = { false,
	",\"platform\":\"normd\",\"backend\":\"normd\",\"max_batch_size\":0,\"input\":[", "],\"output\":[",
	"\",\"data_type\":\"TYPE_", "\",\"dims\":[", "],\"optional\":true}", "]}" };

/* Kept between the steps of a request. */
struct describing {
	const struct listing *listing;
	uint64_t version;
	uint64_t after; /* the last version of the page before */
	bool has_layers;
	char name[BUF_UINT_BYTES + 1]; /* the version, if it is not live */
	struct states_reading reading;
};

static int
begin(struct request *rq, const struct listing *listing, struct err *e)
{
	struct describing *d = workspace_alloc(&rq->workspace, sizeof(*d), e);

	if (d == NULL)
		return -1;
	d->listing = listing;
	rq->scratch = d;
	return oip_version_ask(rq, e);
}

int
oip_metadata_get(struct request *rq, struct err *e)
{
	return begin(rq, &metadata_listing, e);
}

int
oip_config_get(struct request *rq, struct err *e)
{
	return begin(rq, &config_listing, e);
}

/* The lists of inputs and outputs grow side by side: in the text and in the tail. */
static void
begin_layers(struct request *rq, struct describing *d)
{
	buf_text(&rq->reply.text, d->listing->inputs);
	buf_text(&rq->reply.tail, d->listing->outputs);
	d->name[buf_format_uint(d->name, d->version)] = '\0';
	d->reading =
	    (struct states_reading){ .which = { .kind = d->version == 0 ? STORE_LIVE : STORE_NAMED, .name = d->name },
		    .may_be_empty = true };
	states_ask(rq, &d->reading, STATES_PAGE);
}

/* Asks for a page of the model's versions. */
static int
ask_versions(struct request *rq, const struct describing *d)
{
	request_store_done(rq);
	request_store(rq, STORE_VERSIONS_GET);
	rq->op.versions = (struct store_versions){ .model = rq->model, .after = d->after, .limit = VERSIONS_PAGE };
	return 0;
}

static int
begin_document(struct request *rq, struct describing *d, struct err *e)
{
	struct buf *text = &rq->reply.text;

	buf_text(text, "{\"name\":");
	quote_json(text, rq->model);
	if (!d->listing->has_versions) {
		begin_layers(rq, d);
		return 0;
	}
	buf_text(text, ",\"versions\":[\"live\"");
	return budget_ask(&rq->workspace.memory, VERSIONS_PAGE * sizeof(struct store_version), e) < 0 ?
	    -1 :
	    ask_versions(rq, d);
}

static void
add_tensor(struct buf *b, const struct snapshot *state, const struct listing *l, const char *end)
{
	const struct definition *d = state->identity->parsed;
	struct layer_shape shape;

	layer_shape_of(d, state->statistics.features, &shape);
	buf_text(b, "{\"name\":\"");
	buf_text(b, state->identity->name); /* has no character that JSON escapes */
	buf_text(b, l->datatype);
	buf_text(b, datatype_name(d->datatype));
	buf_text(b, l->shape);
	for (unsigned i = 0; i < shape.rank; i++) {
		buf_text(b, i == 0 ? "" : ",");
		if (shape.extents[i] == SHAPE_ANY)
			buf_text(b, "-1");
		else
			buf_uint(b, (uint64_t)shape.extents[i]);
	}
	buf_text(b, end);
}

/* A page of layers. */
static int
add_layers(struct request *rq, struct describing *d)
{
	const struct store_states *page = &rq->op.states;
	struct buf *text = &rq->reply.text, *tail = &rq->reply.tail;

	for (size_t i = 0; i < page->count; i++) {
		buf_text(text, d->has_layers ? "," : "");
		buf_text(tail, d->has_layers ? "," : "");
		add_tensor(text, page->entries[i], d->listing, d->listing->input_end);
		add_tensor(tail, page->entries[i], d->listing, d->listing->output_end);
		d->has_layers = true;
	}
	if (states_end_page(rq, &d->reading) && !reply_failed(&rq->reply))
		states_ask(rq, &d->reading, STATES_PAGE);
	else
		buf_text(tail, "]}");
	return 0;
}

/* A page of versions. */
static int
add_versions(struct request *rq, struct describing *d)
{
	const struct store_versions *page = &rq->op.versions;

	for (size_t i = 0; i < page->count; i++) {
		buf_byte(&rq->reply.text, ',');
		oip_version_add(&rq->reply.text, page->entries[i].number);
	}
	if (page->more && !reply_failed(&rq->reply)) {
		d->after = page->entries[page->count - 1].number;
		return ask_versions(rq, d);
	}
	request_store_done(rq);
	budget_give(&rq->workspace.memory, VERSIONS_PAGE * sizeof(struct store_version));
	begin_layers(rq, d);
	return 0;
}

int
oip_describe_finish(struct request *rq, struct err *e)
{
	struct describing *d = rq->scratch;

	if (rq->op.kind == STORE_STATES_GET)
		return add_layers(rq, d);
	if (rq->reply.text.len > 0)
		return add_versions(rq, d);
	d->version = oip_version_take(rq);
	return begin_document(rq, d, e);
}

int
oip_ready_get(struct request *rq, struct err *e)
{
	return oip_version_ask(rq, e);
}

int
oip_ready_get_finish(struct request *rq, struct err *e)
{
	struct buf *b = &rq->reply.text;

	(void)oip_version_take(rq);
	if (usage_check_loaded(rq->usage, rq->model, e) < 0)
		return -1;
	buf_text(b, "{\"name\":");
	quote_json(b, rq->model);
	buf_text(b, ",\"ready\":true}");
	return 0;
}
