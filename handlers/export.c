/* SPDX-License-Identifier: MIT */
/* GET .../state.safetensors: gathers the states, and answers with the file. */
#include "handlers/export.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "handlers/handlers.h"
#include "handlers/option.h"
#include "handlers/state_digest.h"
#include "layer/layer_digest.h"

#define PAGE_LAYERS ((size_t)64)

/* To write a layer's part of the header takes as long as so many numbers. */
#define LAYER_VALUES ((size_t)100)

enum { DATATYPE_NAME_FP64, DATATYPE_NAME_FP32 };
static const char *const datatype_names[] = { "FP64", "FP32", NULL };
static const struct input datatype_input = { "datatype", INPUT_CHOICE, .places = INPUT_QUERY,
	.choices = datatype_names };

const struct input *const export_inputs[] = { &version_input, &datatype_input, NULL };

int
export_start(struct request *rq, struct err *e)
{
	struct export *x = workspace_alloc(&rq->workspace, sizeof(*x), e);
	struct store_which *which;
	uint64_t datatype = DATATYPE_NAME_FP64, number;

	if (x == NULL || version_which(rq, which = &x->reading.which, e) < 0 ||
	    option_get(rq, &datatype_input, &datatype, e) < 0)
		return -1;
	rq->scratch = x;
	x->is_fp32 = datatype == DATATYPE_NAME_FP32;
	if (which->kind == STORE_NAMED && !(store_name_number(which->name, &number) && number == 0))
		states_ask(rq, &x->reading, PAGE_LAYERS);
	else
		request_write(rq, STORE_PIN);
	return 0;
}

static size_t
list_bytes(const struct snapshot *s)
{
	const size_t statistics = s->statistics.mean != NULL ? 2 * s->statistics.features : 0;

	return (statistics + (s->weight.values != NULL ? s->weight.count : 0) +
		   (s->bias.values != NULL ? s->bias.count : 0)) *
	    sizeof(double);
}

/* Makes room for `more` states. */
static int
make_room(struct request *rq, struct export *x, size_t more, struct err *e)
{
	const struct snapshot **grown;
	size_t room = x->room;

	if (x->room - x->count >= more)
		return 0;
	room = room + (room > more ? room : more);
	grown = workspace_array(&rq->workspace, room, sizeof(const struct snapshot *), e);
	if (grown == NULL)
		return -1;
	if (x->count > 0)
		memcpy(grown, x->states, x->count * sizeof(const struct snapshot *));
	x->states = grown;
	x->room = room;
	return 0;
}

/*
 * Takes a page of states. Those that the cache holds are counted as well: it may let go of them while a client reads
 * the file slowly.
 */
static int
take_page(struct request *rq, struct export *x, struct err *e)
{
	const struct store_states *page = &rq->op.states;
	const size_t loaded = states_counted(rq, &x->reading);
	size_t bytes = 0;

	if (make_room(rq, x, page->count, e) < 0)
		return -1;
	for (size_t i = 0; i < page->count; i++) {
		x->states[x->count++] = snapshot_ref(page->entries[i]);
		bytes += list_bytes(page->entries[i]);
	}
	x->values += bytes / sizeof(double);
	if (bytes > loaded && budget_ask(&rq->workspace.memory, bytes - loaded, e) < 0)
		return -1;
	states_keep(&x->reading, states_counted(rq, &x->reading));
	return 0;
}

/* The next page is of the same version, even if an alias names another one by then. */
static void
fix_version(struct export *x)
{
	if (x->reading.which.kind != STORE_NAMED)
		return;
	x->version = x->states[0]->version;
	snprintf(x->version_name, sizeof(x->version_name), "%" PRIu64, x->version);
	x->reading.which.name = x->version_name;
}

/* A version's digest is stored. Otherwise each part of a file that a client fetches would hash all values again. */
static void
find_digest(struct export *x)
{
	unsigned char layer[SHA256_BYTES];
	struct version_digest all;

	if (x->version != 0) {
		memcpy(x->digest, x->states[0]->version_digest, SHA256_BYTES);
		return;
	}
	version_digest_begin(&all);
	for (size_t i = 0; i < x->count; i++) {
		state_digest(x->states[i], layer);
		version_digest_add(&all, x->states[i]->identity->name, layer);
	}
	version_digest_end(&all, x->digest);
}

/*
 * The file's entity tag. Files of one digest may differ: the metadata names the version, and an alias may have moved
 * between two versions of one digest.
 */
static void
format_etag(const struct export *x, char out[static REPLY_ETAG_BYTES])
{
	char digest[SHA256_TEXT_BYTES], version[24] = "live";

	sha256_format(x->digest, digest);
	if (x->version != 0)
		snprintf(version, sizeof(version), "%" PRIu64, x->version);
	snprintf(out, REPLY_ETAG_BYTES, "\"%s-%s-%s\"", digest, version, x->is_fp32 ? "FP32" : "FP64");
}

static int
answer(struct request *rq, struct export *x, struct err *e)
{
	struct reply_source *source = &rq->reply.source;

	find_digest(x);
	if (export_make_file(rq, x, e) < 0)
		return -1;
	*source = (struct reply_source){ .read = export_read,
		.arg = x,
		.bytes = x->header_bytes + x->data_bytes,
		.has_ranges = true,
		.from_arena = true };
	snprintf(source->file_name, sizeof(source->file_name), "%s.safetensors", rq->model);
	format_etag(x, rq->reply.etag);
	rq->reply.has_version = true;
	rq->reply.version = x->version;
	return 0;
}

int
export_finish(struct request *rq, struct err *e)
{
	struct export *x = rq->scratch;
	bool more = true;

	if (rq->op.kind == STORE_STATES_GET) {
		if (take_page(rq, x, e) < 0)
			return -1;
		fix_version(x);
		more = states_end_page(rq, &x->reading);
	} else {
		x->reading.which =
		    (struct store_which){ .kind = STORE_PINNED, .pin = store_pin_id(rq->write.version.pin) };
	}
	if (more) {
		states_ask(rq, &x->reading, PAGE_LAYERS);
		return 0;
	}
	request_unpin(rq);
	return answer(rq, x, e);
}

size_t
export_values(const struct request *rq)
{
	const struct export *x = rq->scratch;

	return x == NULL ? 0 : states_values(rq) + LAYER_VALUES * x->count + x->values;
}

void
export_end(struct request *rq)
{
	struct export *x = rq->scratch;

	if (x == NULL)
		return;
	for (size_t i = 0; i < x->count; i++)
		snapshot_unref(x->states[i]);
	rq->scratch = NULL;
}
