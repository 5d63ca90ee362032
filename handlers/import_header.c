/* SPDX-License-Identifier: MIT */
/* The header of an imported file is known: which of its tensors are kept. */
#include <stdlib.h>
#include <string.h>

#include "handlers/handlers.h"
#include "handlers/import.h"
#include "handlers/placeholders.h"

/* Layers whose states are looked at together. */
#define PAGE_LAYERS ((size_t)64)

/* A layer of this name, whose tensors are not found yet. Not part of the import until it is added. */
static struct import_layer *
new_layer(struct request *rq, const char *name, struct err *e)
{
	struct import_layer *layer = workspace_array(&rq->workspace, 1, sizeof(*layer), e);

	if (layer != NULL)
		memcpy(layer->name, name, strlen(name) + 1);
	return layer;
}

static int
add_layer(struct request *rq, struct import *im, struct import_layer *layer, struct err *e)
{
	const size_t room = im->room == 0 ? PAGE_LAYERS : 2 * im->room;
	struct import_layer **grown;

	if (im->count == im->room) {
		grown = workspace_array(&rq->workspace, room, sizeof(struct import_layer *), e);
		if (grown == NULL)
			return -1;
		if (im->count > 0)
			memcpy(grown, im->layers, im->count * sizeof(struct import_layer *));
		im->layers = grown;
		im->room = room;
	}
	im->layers[im->count++] = layer;
	return 0;
}

static int
compare_name(const void *name, const void *layer)
{
	return strcmp(name, (*(struct import_layer *const *)layer)->name);
}

static bool
is_existing(const struct import *im, const char *name)
{
	return im->existing > 0 &&
	    bsearch(name, im->layers, im->existing, sizeof(struct import_layer *), compare_name) != NULL;
}

/* The metadata's definition of a layer; false: there is none. */
static bool
has_definition(const struct safetensors *file, const char *name)
{
	struct text_span text;
	char key[STATE_KEY_BYTES];
	const size_t len = state_key_format(STATE_DEFINITION_KEY, name, key);

	return safetensors_metadata_find(file, key, len, &text) == 0;
}

/* Takes a layer of the model if the file has something of it. */
static int
take_existing(struct request *rq, struct import *im, const struct snapshot *s, struct err *e)
{
	const struct safetensors *file = safetensors_body_file(rq->file);
	struct import_layer found = { .id = s->identity->id,
		.revision = s->revision,
		.state_bytes = store_snapshot_bytes(s),
		.definition = *(const struct definition *)s->identity->parsed,
		.features = s->statistics.features };
	struct import_layer *layer;

	memcpy(found.name, s->identity->name, sizeof(found.name));
	if (!import_find_tensors(file, &found) && !has_definition(file, found.name))
		return 0;
	layer = new_layer(rq, found.name, e);
	if (layer == NULL)
		return -1;
	*layer = found;
	im->existing++;
	return add_layer(rq, im, layer, e);
}

/* Takes a page of the model's layers, and asks for the next one, if there is one. */
static int
take_page(struct request *rq, struct import *im, struct err *e)
{
	const struct store_states *page = &rq->op.states;
	const size_t loaded = states_counted(rq, &im->reading);

	if (rq->op.err.code == ERR_NO_SUCH_MODEL || rq->op.err.code == ERR_NO_SUCH_LAYER) {
		request_store_done(rq);
		return 0;
	}
	if (rq->op.err.code != ERR_NONE) {
		*e = rq->op.err;
		return -1;
	}
	im->model_exists = true;
	for (size_t i = 0; i < page->count; i++)
		if (take_existing(rq, im, page->entries[i], e) < 0)
			return -1;
	states_keep(&im->reading, states_counted(rq, &im->reading) - loaded);
	if (states_end_page(rq, &im->reading))
		states_ask(rq, &im->reading, PAGE_LAYERS);
	return 0;
}

/* Adds a layer that does not exist, by the metadata's definition of it, or with `defined` false as a batch norm. */
static int
add_new(struct request *rq, struct import *im, const char *name, bool defined, struct err *e)
{
	const struct safetensors *file = safetensors_body_file(rq->file);
	struct import_layer *layer = new_layer(rq, name, e);

	if (layer == NULL)
		return -1;
	(void)import_find_tensors(file, layer);
	if (!defined && import_define(file, layer, e) < 0)
		return -1;
	return add_layer(rq, im, layer, e);
}

/*
 * Copies the name of a layer from a text of the file. What is no valid name is refused: with the layer left out, the
 * model would be half of the file's.
 */
static int
copy_name(const char *text, size_t len, char out[STORE_NAME_MAX + 2], struct err *e)
{
	const size_t copied = len <= STORE_NAME_MAX ? len : STORE_NAME_MAX + 1;

	memcpy(out, text, copied);
	out[copied] = '\0';
	if (memchr(text, '\0', len) != NULL)
		return err_fail(e, ERR_BAD_NAME, "the file has a layer whose name has a NUL after \"%.128s\"", out);
	return placeholders_check_name("layer", out, e);
}

/* The layers that the metadata defines. */
static int
add_defined(struct request *rq, struct import *im, struct err *e)
{
	const struct safetensors *file = safetensors_body_file(rq->file);
	const size_t start = strlen(STATE_DEFINITION_KEY);
	struct text_span key, value;
	char name[STORE_NAME_MAX + 2];
	size_t cursor = 0;

	while (safetensors_metadata_next(file, &cursor, &key, &value)) {
		if (key.len < start || memcmp(key.bytes, STATE_DEFINITION_KEY, start) != 0)
			continue;
		if (copy_name(key.bytes + start, key.len - start, name, e) < 0)
			return -1;
		if (!is_existing(im, name) && add_new(rq, im, name, true, e) < 0)
			return -1;
	}
	return 0;
}

/* Whether a tensor is the running mean of a batch norm that is not known yet; its name is then in `name`. */
static int
is_new_batch_norm(const struct import *im, const struct safetensors *file, size_t i, char name[STORE_NAME_MAX + 2],
    bool *is, struct err *e)
{
	const struct safetensors_entry t = safetensors_entry(file, i);
	struct import_layer layer = { 0 };
	size_t len;

	*is = false;
	if (!state_tensor_is(t.name.bytes, t.name.len, STATE_MEAN, &len) || t.rank != 1)
		return 0;
	if (len == 0)
		return err_fail(e, ERR_BAD_NAME,
		    "the tensor \"%s\" has no layer's name before it, such as \"bn1.%s\": save the module that the "
		    "layer is part of",
		    state_tensor_name(STATE_MEAN), state_tensor_name(STATE_MEAN));
	if (copy_name(t.name.bytes, len, name, e) < 0)
		return -1;
	if (is_existing(im, name) || has_definition(file, name))
		return 0;
	memcpy(layer.name, name, len + 1);
	*is = import_find_tensors(file, &layer) && import_is_batch_norm(file, &layer);
	return 0;
}

/* The batch norms that neither the model nor the metadata has. */
static int
add_batch_norms(struct request *rq, struct import *im, struct err *e)
{
	const struct safetensors *file = safetensors_body_file(rq->file);
	const size_t count = safetensors_count(file);
	char name[STORE_NAME_MAX + 2];
	bool is;

	for (size_t i = 0; i < count; i++)
		if (is_new_batch_norm(im, file, i, name, &is, e) < 0 || (is && add_new(rq, im, name, false, e) < 0))
			return -1;
	return 0;
}

int
import_header_known(struct request *rq, struct err *e)
{
	struct import *im = rq->scratch;

	if (im == NULL) {
		im = rq->scratch = workspace_alloc(&rq->workspace, sizeof(*im), e);
		if (im == NULL)
			return -1;
		states_ask(rq, &im->reading, PAGE_LAYERS);
		return 0;
	}
	if (take_page(rq, im, e) < 0)
		return -1;
	if (rq->wants_store)
		return 0;
	if (add_defined(rq, im, e) < 0 || add_batch_norms(rq, im, e) < 0)
		return -1;
	for (size_t i = 0; i < im->count; i++)
		if (import_read_definition(rq, im->layers[i], e) < 0 || import_keep(rq, im->layers[i], e) < 0)
			return -1;
	return 0;
}
