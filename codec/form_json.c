/* SPDX-License-Identifier: MIT */
/* JSON as a form: json_scan.h reads it, json_write.h writes it. */
#include "codec/body.h"
#include "codec/form.h"
#include "codec/json_scan.h"

static void *
open_reader(const struct body_options *o)
{
	return json_scan_new(o->slots, o->slot_count, o->bytes_max, o->memory);
}

static void
close_reader(void *reader)
{
	json_scan_free(reader);
}

static int
feed(void *reader, const char *bytes, size_t len, struct err *e)
{
	return json_scan_feed(reader, bytes, len, e);
}

static int
finish(void *reader, struct err *e)
{
	return json_scan_finish(reader, e);
}

static struct tensor *
find_tensor(void *reader, size_t slot)
{
	return json_scan_tensor(reader, slot);
}

static int
settle(void *reader, enum datatype by_layer, struct err *e)
{
	return json_scan_settle(reader, by_layer, e);
}

static const struct cJSON *
envelope(const void *reader)
{
	return json_scan_envelope(reader);
}

static size_t
envelope_bytes(const void *reader)
{
	return json_scan_envelope_bytes(reader);
}

const struct form_ops form_json = {
	.media_type = "application/json",
	.document = true,
	.damaged = ERR_BAD_JSON,
	.open = open_reader,
	.close = close_reader,
	.feed = feed,
	.finish = finish,
	.tensor = find_tensor,
	.settle = settle,
	.envelope = envelope,
	.envelope_bytes = envelope_bytes,
	.holds = datatype_is_textual,
	.begin = json_add_tensor_head,
	.values = json_tensor_read,
};
