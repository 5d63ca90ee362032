/* SPDX-License-Identifier: MIT */
/* What the metadata of an imported file says of a layer: its definition, and the count of its statistics. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "handlers/definition_stored.h"
#include "handlers/doubles.h"
#include "handlers/import.h"

/* The longest text that is read. The longest definition that normd writes has 32 extents and some 2 KiB. */
#define TEXT_BYTES_MAX ((size_t)16 << 10)

/* Parses a text of JSON. Says `what` it is where it is refused: an offset in the text is none in the file. */
static int
parse(const char *text, option_read_json *read, void *arg, const char *what, struct err *e)
{
	struct err why;

	if (option_parse(text, read, arg, &why) == 0)
		return 0;
	if (why.code != ERR_OVERLOADED)
		return err_fail(e, ERR_BAD_PARAMETER, "%s: %.200s", what, why.detail);
	*e = why;
	return -1;
}

/* Parses a definition that the import has made, or that the metadata has. */
static int
parse_definition(const char *text, const struct import_layer *layer, struct definition *out, struct err *e)
{
	char what[64 + STORE_NAME_MAX];

	snprintf(what, sizeof(what), "the definition of layer \"%s\"", layer->name);
	return parse(text, definition_read, out, what, e);
}

int
import_define(const struct safetensors *file, struct import_layer *layer, struct err *e)
{
	const uint64_t features = safetensors_entry(file, layer->at[STATE_MEAN]).count;
	const bool affine = layer->has[STATE_WEIGHT] || layer->has[STATE_BIAS];
	char text[128];

	if (features == 0)
		return err_fail(e, ERR_SHAPE_MISMATCH, "\"%s.%s\" is empty; it needs one value per feature",
		    layer->name, state_tensor_name(STATE_MEAN));
	snprintf(text, sizeof(text), "{\"kind\":\"batch_norm\",\"num_features\":%" PRIu64 ",\"affine\":%s}", features,
	    affine ? "true" : "false");
	if (parse_definition(text, layer, &layer->definition, e) < 0)
		return -1;
	layer->features = layer->definition.num_features;
	return 0;
}

/* A text of the metadata as a string, from the request's arena. NULL with `e`, or where there is none. */
static const char *
metadata_text(struct request *rq, const char *key, const char *name, struct err *e)
{
	const struct safetensors *file = safetensors_body_file(rq->file);
	char full[STATE_KEY_BYTES];
	const size_t len = state_key_format(key, name, full);
	struct text_span text;

	if (safetensors_metadata_find(file, full, len, &text) < 0)
		return NULL;
	if (text.len > TEXT_BYTES_MAX || memchr(text.bytes, '\0', text.len) != NULL) {
		err_set(e, ERR_BAD_PARAMETER, "the metadata's \"%s\" is longer than %zu bytes, or contains a NUL", full,
		    TEXT_BYTES_MAX);
		return NULL;
	}
	return workspace_text(&rq->workspace, text.bytes, text.len, e);
}

static int
check_same(struct request *rq, const struct import_layer *layer, const struct definition *asked, struct err *e)
{
	/* A number that is not fixed yet is fixed by the import. */
	const size_t features = layer->features != 0 ? layer->features : asked->num_features;
	struct buf differences;
	int result = 0;

	buf_init(&differences, 4096);
	buf_count(&differences, &rq->workspace.memory);
	definition_differences(&differences, &layer->definition, features, asked);
	if (differences.failed)
		result = err_fail_memory(e);
	else if (differences.len > 0)
		result = err_fail(e, ERR_LAYER_DIFFERS,
		    "layer \"%s\" exists with a different definition than the file's: %.*s", layer->name,
		    (int)differences.len, differences.bytes);
	buf_fini(&differences);
	return result;
}

int
import_read_definition(struct request *rq, struct import_layer *layer, struct err *e)
{
	const char *text = metadata_text(rq, STATE_DEFINITION_KEY, layer->name, e);
	struct definition asked;

	if (text == NULL)
		return e->code == ERR_NONE ? 0 : -1;
	if (parse_definition(text, layer, &asked, e) < 0)
		return -1;
	if (layer->id != 0)
		return check_same(rq, layer, &asked, e);
	layer->definition = asked;
	layer->features = asked.num_features;
	return 0;
}

static int
read_count(void *arg, const struct cJSON *value, struct err *e)
{
	struct import_layer *layer = arg;

	return doubles_read_weight(&(struct option){ .member = value }, &layer->definition, &layer->statistics, e);
}

int
import_read_count(struct request *rq, struct import_layer *layer, struct err *e)
{
	const char *text = metadata_text(rq, STATE_COUNT_KEY, layer->name, e);
	char what[64 + STORE_NAME_MAX];

	if (e->code != ERR_NONE)
		return -1;
	if (text == NULL)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "the statistics of %s layer \"%s\" need the number of values per feature in them, as the file's "
		    "metadata \"%s%s\"; or import them by PUT .../statistics with a \"count\"",
		    definition_averaging_name(&layer->definition), layer->name, STATE_COUNT_KEY, layer->name);
	snprintf(what, sizeof(what), "the metadata's \"%s%s\"", STATE_COUNT_KEY, layer->name);
	return parse(text, read_count, layer, what, e);
}
