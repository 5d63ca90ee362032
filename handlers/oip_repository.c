/* SPDX-License-Identifier: MIT */
/*
 * The model repository of the Open Inference Protocol: POST /v2/repository/index lists the models, and .../load and
 * .../unload say whether a model is ready for this protocol.
 */
#include <stdio.h>
#include <string.h>

#include "base/quote.h"
#include "handlers/handlers.h"
#include "handlers/oip_version.h"
#include "handlers/option.h"
#include "handlers/usage.h"

/* ---- the index */

#define INDEX_PAGE ((size_t)256)

static const struct input ready_input = { "ready", INPUT_BOOL, .places = INPUT_BODY };

const struct input *const oip_index_inputs[] = { &ready_input, NULL };

/* Kept between the steps of a request. */
struct indexing {
	bool ready_only;
	bool has_models;
	char after[STORE_NAME_MAX + 1]; /* the last model of the page before */
};

static void
ask_models(struct request *rq, const struct indexing *x)
{
	request_store_done(rq);
	request_store(rq, STORE_MODEL_LIST);
	rq->op.list = (struct store_list){ .after = x->after,
		.limit = INDEX_PAGE,
		.prefixes = rq->caller->prefixes,
		.prefix_count = rq->caller->prefix_count };
}

int
oip_index_post(struct request *rq, struct err *e)
{
	struct indexing *x = workspace_alloc(&rq->workspace, sizeof(*x), e);

	if (x == NULL || option_get_bool(rq, &ready_input, &x->ready_only, e) < 0 ||
	    budget_ask(&rq->workspace.memory, INDEX_PAGE * sizeof(struct store_entry), e) < 0)
		return -1;
	rq->scratch = x;
	buf_byte(&rq->reply.text, '[');
	ask_models(rq, x);
	return 0;
}

static void
add_model(struct request *rq, struct indexing *x, const struct store_entry *model)
{
	const bool unloaded = usage_is_unloaded(rq->usage, model->name);
	struct buf *b = &rq->reply.text;

	if (unloaded && x->ready_only)
		return;
	buf_text(b, x->has_models ? ",{\"name\":" : "{\"name\":");
	quote_json(b, model->name);
	buf_text(b, ",\"version\":");
	oip_version_add(b, model->serving);
	buf_text(b,
	    unloaded ? ",\"state\":\"UNAVAILABLE\",\"reason\":\"unloaded\"}" : ",\"state\":\"READY\",\"reason\":\"\"}");
	x->has_models = true;
}

int
oip_index_post_finish(struct request *rq, struct err *e)
{
	const struct store_list *page = &rq->op.list;
	struct indexing *x = rq->scratch;

	(void)e;
	for (size_t i = 0; i < page->count; i++)
		add_model(rq, x, &page->entries[i]);
	if (page->more && !reply_failed(&rq->reply)) {
		snprintf(x->after, sizeof(x->after), "%s", page->entries[page->count - 1].name);
		ask_models(rq, x);
		return 0;
	}
	buf_byte(&rq->reply.text, ']');
	return 0;
}

/* ---- load and unload */

static const struct input parameters_input = { "parameters", INPUT_OBJECT, .places = INPUT_BODY };
static const struct input dependents_input = { "unload_dependents", INPUT_BOOL, .places = INPUT_BODY,
	.parent = "parameters" };
static const struct input config_input = { "config", INPUT_TEXT, .places = INPUT_BODY };
static const struct input *const parameters[] = { &dependents_input, &config_input, NULL };

const struct input *const oip_repository_inputs[] = { &parameters_input, NULL };

/* A model's configuration is its layers' definitions, which only PUT of a layer sets. */
static bool
is_config(const struct cJSON *member)
{
	const char *name = envelope_key(member);

	return strcmp(name, config_input.name) == 0 || strncmp(name, "file:", 5) == 0;
}

static int
refuse_config(const char *name, struct err *e)
{
	return err_fail(e, ERR_BAD_PARAMETER,
	    "failed to load the model: it takes no \"%.64s\"; its configuration is its layers' definitions", name);
}

/* No model depends on another, so unload_dependents changes nothing. */
static int
read_parameters(void *arg, const struct cJSON *object, struct err *e)
{
	uint64_t ignored = 0;

	(void)arg;
	if (envelope_type(object) != ENVELOPE_OBJECT)
		return option_refuse(&parameters_input, &(struct option){ .member = object }, "an object", e);
	for (const struct cJSON *m = envelope_first(object); m != NULL; m = envelope_next(m))
		if (is_config(m) && envelope_type(m) != ENVELOPE_NULL)
			return refuse_config(envelope_key(m), e);
	return inputs_check_members(object, parameters, "\"parameters\"", e) < 0 ?
	    -1 :
	    option_get_member(object, &dependents_input, &ignored, e);
}

/* Kept between the steps of a request. */
struct loading {
	uint64_t deleted; /* as usage_deleted said before the store was asked for the model */
};

static int
ask_model(struct request *rq, struct loading *l, struct err *e)
{
	l->deleted = usage_deleted(rq->usage);
	return oip_version_ask(rq, e);
}

/* Checks the body, and asks whether the model exists. */
int
oip_repository_post(struct request *rq, struct err *e)
{
	struct loading *l = workspace_alloc(&rq->workspace, sizeof(*l), e);
	struct option o;

	rq->scratch = l;
	if (l == NULL || option_find(rq, &parameters_input, &o, e) < 0 ||
	    (option_given(&o) && option_read_object(&parameters_input, &o, read_parameters, NULL, e) < 0))
		return -1;
	return ask_model(rq, l, e);
}

static int
answer(struct request *rq, const char *done)
{
	struct buf *b = &rq->reply.text;

	buf_text(b, "{\"name\":");
	quote_json(b, rq->model);
	buf_printf(b, ",\"%s\":true}", done);
	return 0;
}

int
oip_load_finish(struct request *rq, struct err *e)
{
	(void)e;
	(void)oip_version_take(rq);
	usage_load(rq->usage, rq->model);
	return answer(rq, "load");
}

/* Where a model was deleted meanwhile, the store is asked again. */
int
oip_unload_finish(struct request *rq, struct err *e)
{
	struct loading *l = rq->scratch;
	bool stale;

	(void)oip_version_take(rq);
	if (usage_unload(rq->usage, rq->model, l->deleted, &stale, e) < 0)
		return -1;
	return stale ? ask_model(rq, l, e) : answer(rq, "unload");
}
