/* SPDX-License-Identifier: MIT */
#include "tests/memory/operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "codec/npy_header.h"

#define JSON_DATA "{\"data\":[[1,20],[3,40],[5,60]]}"
#define JSON_3D "[[[1,2,9],[3,4,7]],[[5,6,1],[2,8,3]]]"
#define JSON_PADDED "{\"data\":" JSON_3D ",\"lengths\":[3,2]}"
#define JSON_ROWS "{\"data\":" JSON_3D ",\"mask\":[[true,false],[true,true]]}"
#define JSON_MASKED "{\"data\":" JSON_3D ",\"mask\":[[true,true,false],[true,true,true]]}"
#define BACKWARD(more) "{\"input\":{\"data\":" JSON_3D "},\"grad_output\":{\"data\":" JSON_3D "}" more "}"
#define BACKWARD_PADDED BACKWARD(",\"lengths\":[3,2]")
#define BACKWARD_ROWS BACKWARD(",\"lengths\":[2,1]")
#define SYNC(step) "\"sync\":{\"step\":\"" step "\",\"rank\":0,\"world_size\":1}"
#define KEY "Idempotency-Key: \"k\"\r\n"
#define NPY_TYPE "Content-Type: application/x-npy\r\n"
#define GZIP_WANTED "Accept-Encoding: gzip\r\n"
#define GZIP_ONLY "Accept-Encoding: gzip, identity;q=0\r\n"

/* More values than an answer of text is made of at once, over many features. */
#define WIDE_ROWS 10
#define WIDE_FEATURES 2000
#define WIDE_VALUES (WIDE_ROWS * WIDE_FEATURES)

static const struct message nothing[] = { { 0 } };

static const struct message untrained[] = { { "PUT", LAYER, NULL, "{\"kind\":\"batch_norm\"}", 0 }, { 0 } };

static const struct message trained[] = { { "PUT", LAYER, NULL, "{\"kind\":\"batch_norm\"}", 0 },
	{ "POST", LAYER "/train?output=false", NULL, "{\"data\":[[2,10],[3,40],[7,30]]}", 0 }, { 0 } };

static const struct message with_parameters[] = { { "PUT", LAYER, NULL, "{\"kind\":\"batch_norm\",\"num_features\":2}",
						      0 },
	{ "PUT", LAYER "/parameters", NULL, "{\"weight\":[2,3],\"bias\":[0.1,0.7]}", 0 },
	{ "POST", LAYER "/train?output=false", NULL, "{\"data\":[[2,10],[3,40],[7,30]]}", 0 }, { 0 } };

static const struct message used_key[] = { { "PUT", LAYER, NULL, "{\"kind\":\"batch_norm\"}", 0 },
	{ "POST", LAYER "/train", KEY, JSON_DATA, 0 }, { 0 } };

static const struct message pooled[] = { { "PUT", LAYER, NULL, "{\"kind\":\"batch_norm\",\"averaging\":\"pooled\"}",
					     0 },
	{ "POST", LAYER "/train?output=false", NULL, "{\"data\":[[2,10],[3,40],[7,30]]}", 0 }, { 0 } };

static const struct message cumulative[] = { { "PUT", LAYER, NULL, "{\"kind\":\"batch_norm\",\"momentum\":null}", 0 },
	{ "POST", LAYER "/train?output=false", NULL, "{\"data\":[[2,10],[3,40],[7,30]]}", 0 }, { 0 } };

static const struct message untracked[] = {
	{ "PUT", LAYER, NULL, "{\"kind\":\"batch_norm\",\"track_running_stats\":false}", 0 }, { 0 }
};

static const struct message layer_norm[] = {
	{ "PUT", LAYER, NULL, "{\"kind\":\"layer_norm\",\"normalized_shape\":[2]}", 0 }, { 0 }
};

/* A layer of another kind, or with other fields, for batches of two channels. */
#define LAYER_OF(name, definition) static const struct message name[] = { { "PUT", LAYER, NULL, definition, 0 }, { 0 } }

LAYER_OF(layer_norm_rows, "{\"kind\":\"layer_norm\",\"normalized_shape\":[3]}");
LAYER_OF(rms_norm_rows, "{\"kind\":\"rms_norm\",\"normalized_shape\":[3],\"clip\":1}");
LAYER_OF(instance_norm, "{\"kind\":\"instance_norm\",\"affine\":true,\"track_running_stats\":true}");
LAYER_OF(group_norm, "{\"kind\":\"group_norm\",\"num_groups\":1,\"num_channels\":2,\"clip\":1}");
LAYER_OF(ghost_batches, "{\"kind\":\"batch_norm\",\"virtual_batch_size\":1}");
LAYER_OF(shuffling, "{\"kind\":\"batch_norm\",\"shuffle\":true}");
LAYER_OF(renorm, "{\"kind\":\"batch_norm\",\"renorm\":{},\"clip\":1}");

/* clang-format off */
struct operation operations[] = {
	{ "live", nothing, { "GET", "/v2/health/live", NULL, NULL, 0 }, .status = 200 },
	{ "ready", nothing, { "GET", "/v2/health/ready", NULL, NULL, 0 }, .status = 200 },
	{ "live, a new client", nothing, { "GET", "/v2/health/live", NULL, NULL, 0 }, .status = 200, .new_client = true },

	{ "list models", trained, { "GET", "/v1/models?limit=1", NULL, NULL, 0 }, .status = 200 },
	{ "get model", trained, { "GET", MODEL, NULL, NULL, 0 }, .status = 200 },
	{ "get model, cold", trained, { "GET", MODEL, NULL, NULL, 0 }, .status = 200, .cold = true },
	{ "delete model", trained, { "DELETE", MODEL, NULL, NULL, 0 }, .status = 204 },

	{ "create layer, model and all", nothing, { "PUT", LAYER, NULL, "{\"kind\":\"batch_norm\",\"num_features\":3}", 0 }, .status = 201 },
	{ "create layer norm", nothing, { "PUT", LAYER, NULL, "{\"kind\":\"layer_norm\",\"normalized_shape\":[2,3]}", 0 }, .status = 201 },
	{ "create layer that stands", trained, { "PUT", LAYER, NULL, "{\"kind\":\"batch_norm\"}", 0 }, .status = 200 },
	{ "create layer that differs", trained, { "PUT", LAYER, NULL, "{\"kind\":\"batch_norm\",\"eps\":0.5}", 0 }, .status = 409 },
	{ "get layer", trained, { "GET", LAYER, NULL, NULL, 0 }, .status = 200 },
	{ "get layer, cold", trained, { "GET", LAYER, NULL, NULL, 0 }, .status = 200, .cold = true },
	{ "delete layer", trained, { "DELETE", LAYER, "If-Match: \"1\"\r\n", NULL, 0 }, .status = 204 },
	{ "delete layer, cold", trained, { "DELETE", LAYER, NULL, NULL, 0 }, .status = 204, .cold = true },

	{ "train", trained, { "POST", LAYER "/train", NULL, JSON_DATA, 0 }, .status = 200 },
	{ "train, the first", untrained, { "POST", LAYER "/train", NULL, JSON_DATA, 0 }, .status = 200 },
	{ "train, cold", with_parameters, { "POST", LAYER "/train", NULL, JSON_DATA, 0 }, .status = 200, .cold = true },
	{ "train, a new client", trained, { "POST", LAYER "/train", NULL, JSON_DATA, 0 }, .status = 200, .new_client = true },
	{ "train, with parameters", with_parameters, { "POST", LAYER "/train", NULL, JSON_DATA, 0 }, .status = 200 },
	{ "train, no output", trained, { "POST", LAYER "/train?output=false", NULL, JSON_DATA, 0 }, .status = 200 },
	{ "train, pooled", pooled, { "POST", LAYER "/train", NULL, JSON_DATA, 0 }, .status = 200 },
	{ "train, cumulative", cumulative, { "POST", LAYER "/train", NULL, JSON_DATA, 0 }, .status = 200 },
	{ "train, untracked", untracked, { "POST", LAYER "/train", NULL, JSON_DATA, 0 }, .status = 200 },
	{ "train, layer norm", layer_norm, { "POST", LAYER "/train", NULL, JSON_DATA, 0 }, .status = 200 },
	{ "train, of FP16", trained,
	    { "POST", LAYER "/train", NULL, "{\"shape\":[2,2],\"datatype\":\"FP16\",\"data\":[1,2,3,4],\"output\":true}", 0 }, .status = 200 },
	{ "train, a result that might not fit", trained,
	    { "POST", LAYER "/train", NULL, "{\"data\":[[1e38,1],[-1e38,2]]}", 0 }, .status = 200 },
	{ "train, gzip both ways", trained,
	    { "POST", LAYER "/train", "Content-Encoding: gzip\r\n" GZIP_ONLY, NULL, 0 }, .status = 200, .body = BODY_GZIP },
	{ "train, .npy", trained, { "POST", LAYER "/train", NPY_TYPE, NULL, 0 }, .status = 200, .body = BODY_NPY },
	{ "train, .npy, no output", trained, { "POST", LAYER "/train?output=false", NPY_TYPE, NULL, 0 }, .status = 204, .body = BODY_NPY },
	{ "train, .npy to JSON", trained,
	    { "POST", LAYER "/train", NPY_TYPE "Accept: application/json\r\n", NULL, 0 }, .status = 200, .body = BODY_NPY },
	{ "train, JSON to .npy", trained, { "POST", LAYER "/train", "Accept: application/x-npy\r\n", JSON_DATA, 0 }, .status = 200 },
	{ "train, wide", untrained, { "POST", LAYER "/train", NULL, NULL, 0 }, .status = 200, .body = BODY_WIDE },
	{ "train, wide, gzip if it goes", untrained, { "POST", LAYER "/train", GZIP_WANTED, NULL, 0 }, .status = 200, .body = BODY_WIDE },
	{ "train, wide, gzip", untrained, { "POST", LAYER "/train", GZIP_ONLY, NULL, 0 }, .status = 200, .body = BODY_WIDE },
	{ "train, wide, of gzip", untrained,
	    { "POST", LAYER "/train?output=false", "Content-Encoding: gzip\r\n", NULL, 0 }, .status = 200, .body = BODY_WIDE_GZIP },
	{ "train, wide .npy", untrained, { "POST", LAYER "/train", NPY_TYPE, NULL, 0 }, .status = 200, .body = BODY_WIDE_NPY },
	{ "train, wide .npy, gzip", untrained, { "POST", LAYER "/train", NPY_TYPE GZIP_ONLY, NULL, 0 }, .status = 200, .body = BODY_WIDE_NPY },

	{ "train, under a key", trained, { "POST", LAYER "/train", KEY, JSON_DATA, 0 }, .status = 200, .once = true },
	{ "train, under a key that was used", used_key, { "POST", LAYER "/train", KEY, JSON_DATA, 0 }, .status = 200, .once = true },
	{ "train, under a key of another body", used_key, { "POST", LAYER "/train", KEY, "{\"data\":[[1,2],[2,5]]}", 0 }, .status = 422 },
	{ "train, no key", trained, { "POST", LAYER "/train", "Idempotency-Key: \"\r\n", JSON_DATA, 0 }, .status = 400 },

	{ "infer", trained, { "POST", LAYER "/infer", NULL, JSON_DATA, 0 }, .status = 200 },
	{ "infer, cold", with_parameters, { "POST", LAYER "/infer", NULL, JSON_DATA, 0 }, .status = 200, .cold = true },
	{ "infer, gzip", trained, { "POST", LAYER "/infer", GZIP_ONLY, JSON_DATA, 0 }, .status = 200 },
	{ "infer, .npy", trained, { "POST", LAYER "/infer", NPY_TYPE, NULL, 0 }, .status = 200, .body = BODY_NPY },
	{ "infer, untracked", untracked, { "POST", LAYER "/infer", NULL, JSON_DATA, 0 }, .status = 200 },
	{ "infer, layer norm, wide", layer_norm, { "POST", LAYER "/infer", NPY_TYPE, NULL, 0 }, .status = 422, .body = BODY_WIDE_NPY },

	{ "train, lengths", untrained, { "POST", LAYER "/train", NULL, JSON_PADDED, 0 }, .status = 200 },
	{ "train, mask", untrained, { "POST", LAYER "/train", NULL, JSON_MASKED, 0 }, .status = 200 },
	{ "train, lengths in the query", untrained,
	    { "POST", LAYER "/train?lengths=3,2", NULL, "{\"data\":" JSON_3D "}", 0 }, .status = 200 },
	{ "train, mask in the query", untrained,
	    { "POST", LAYER "/train?mask=1,1,0,true,true,true", NULL, "{\"data\":" JSON_3D "}", 0 }, .status = 200 },
	{ "train, lengths too long", untrained, { "POST", LAYER "/train?lengths=3,4", NULL, "{\"data\":" JSON_3D "}", 0 }, .status = 400 },
	{ "train, layer norm, mask", layer_norm_rows, { "POST", LAYER "/train", NULL, JSON_ROWS, 0 }, .status = 200 },
	{ "train, RMS norm, mask", rms_norm_rows, { "POST", LAYER "/train", NULL, JSON_ROWS, 0 }, .status = 200 },
	{ "train, group norm, lengths", group_norm, { "POST", LAYER "/train", NULL, JSON_PADDED, 0 }, .status = 200 },
	{ "train, instance norm", instance_norm, { "POST", LAYER "/train", NULL, "{\"data\":" JSON_3D "}", 0 }, .status = 200 },
	{ "train, instance norm, lengths", instance_norm, { "POST", LAYER "/train", NULL, JSON_PADDED, 0 }, .status = 200 },
	{ "train, ghost batches", ghost_batches, { "POST", LAYER "/train", NULL, JSON_PADDED, 0 }, .status = 200 },
	{ "train, shuffled", shuffling, { "POST", LAYER "/train?seed=5", NULL, JSON_PADDED, 0 }, .status = 200 },
	{ "train, shuffled, under a key", shuffling, { "POST", LAYER "/train", KEY, JSON_PADDED, 0 }, .status = 200, .once = true },
	{ "train, renorm", renorm, { "POST", LAYER "/train?output=false", NULL, JSON_PADDED, 0 }, .status = 200 },
	{ "infer, group norm, mask", group_norm, { "POST", LAYER "/infer", NULL, JSON_MASKED, 0 }, .status = 200 },
	{ "infer, inverse", trained, { "POST", LAYER "/infer?inverse=true", NULL, JSON_DATA, 0 }, .status = 200 },

	{ "backward", untrained, { "POST", LAYER "/backward", NULL, BACKWARD(""), 0 }, .status = 200 },
	{ "backward, cold", with_parameters, { "POST", LAYER "/backward", NULL, BACKWARD(""), 0 }, .status = 200, .cold = true },
	{ "backward, infer", with_parameters, { "POST", LAYER "/backward?mode=infer", NULL, BACKWARD(""), 0 }, .status = 200 },
	{ "backward, lengths", with_parameters, { "POST", LAYER "/backward", NULL, BACKWARD_PADDED, 0 }, .status = 200 },
	{ "backward, to .npy", with_parameters, { "POST", LAYER "/backward", "Accept: application/x-npy\r\n", BACKWARD(""), 0 }, .status = 200 },
	{ "backward, .npy", trained, { "POST", LAYER "/backward", NPY_TYPE, NULL, 0 }, .status = 200, .body = BODY_NPY_TWICE },
	{ "backward, wide .npy", untrained, { "POST", LAYER "/backward", NPY_TYPE GZIP_ONLY, NULL, 0 }, .status = 200, .body = BODY_WIDE_NPY_TWICE },
	{ "backward, layer norm", layer_norm_rows, { "POST", LAYER "/backward", NULL, BACKWARD(""), 0 }, .status = 200 },
	{ "backward, layer norm, lengths", layer_norm_rows, { "POST", LAYER "/backward", NULL, BACKWARD_ROWS, 0 }, .status = 200 },
	{ "backward, RMS norm, lengths", rms_norm_rows, { "POST", LAYER "/backward", NULL, BACKWARD_ROWS, 0 }, .status = 200 },
	{ "backward, instance norm, lengths", instance_norm, { "POST", LAYER "/backward", NULL, BACKWARD_PADDED, 0 }, .status = 200 },
	{ "backward, group norm, clipped", group_norm, { "POST", LAYER "/backward", NULL, BACKWARD(""), 0 }, .status = 200 },
	{ "backward, ghost batches", ghost_batches, { "POST", LAYER "/backward", NULL, BACKWARD_PADDED, 0 }, .status = 200 },
	{ "backward, shuffled", shuffling, { "POST", LAYER "/backward?seed=5", NULL, BACKWARD_PADDED, 0 }, .status = 200 },
	{ "backward, renorm, clipped", renorm, { "POST", LAYER "/backward", NULL, BACKWARD_PADDED, 0 }, .status = 200 },
	{ "backward, of one tensor", trained, { "POST", LAYER "/backward", NULL, "{\"input\":{\"data\":[[1,2]]}}", 0 }, .status = 400 },

	{ "sync, train", trained,
	    { "POST", LAYER "/train", NULL, "{\"data\":[[1,20],[3,40]]," SYNC("1") "}", 0 }, .status = 200, .once = true },
	{ "sync, train, by the query", trained,
	    { "POST", LAYER "/train?sync=%7B%22step%22:%221%22,%22rank%22:0,%22world_size%22:1%7D", NPY_TYPE, NULL, 0 },
	    .status = 200, .body = BODY_NPY, .once = true },
	{ "sync, train, lengths", untrained,
	    { "POST", LAYER "/train", NULL, "{\"data\":" JSON_3D ",\"lengths\":[3,2]," SYNC("1") "}", 0 }, .status = 200, .once = true },
	{ "sync, backward", with_parameters, { "POST", LAYER "/backward", NULL, BACKWARD("," SYNC("1")), 0 }, .status = 200 },
	{ "sync, backward, lengths", with_parameters,
	    { "POST", LAYER "/backward", NULL, BACKWARD(",\"lengths\":[3,2]," SYNC("1")), 0 }, .status = 200 },
	{ "sync, that never fills", trained,
	    { "POST", LAYER "/train", NULL,
	      "{\"data\":[[1,20],[3,40]],\"sync\":{\"step\":\"1\",\"rank\":0,\"world_size\":2,\"timeout_ms\":1}}", 0 }, .status = 409 },

	{ "merge", trained,
	    { "POST", LAYER "/statistics/merge", NULL, "{\"count\":5,\"mean\":[1,2],\"var\":[3,4]}", 0 }, .status = 200 },
	{ "merge, under a key", trained,
	    { "POST", LAYER "/statistics/merge", KEY, "{\"count\":5,\"mean\":[1,2],\"var\":[3,4]}", 0 }, .status = 200, .once = true },
	{ "merge, pooled", pooled,
	    { "POST", LAYER "/statistics/merge", NULL, "{\"count\":5,\"mean\":[1,2],\"var\":[3,4]}", 0 }, .status = 200 },
	{ "get statistics", trained, { "GET", LAYER "/statistics", NULL, NULL, 0 }, .status = 200 },
	{ "head of statistics", trained, { "HEAD", LAYER "/statistics", NULL, NULL, 0 }, .status = 200 },
	{ "get statistics, cold", trained, { "GET", LAYER "/statistics", NULL, NULL, 0 }, .status = 200, .cold = true },
	{ "put statistics", untrained,
	    { "PUT", LAYER "/statistics", NULL, "{\"running_mean\":[1,2],\"running_var\":[3,4],\"num_batches_tracked\":7}", 0 }, .status = 200 },
	{ "put statistics, pooled", pooled,
	    { "PUT", LAYER "/statistics", NULL, "{\"running_mean\":[1,2],\"running_var\":[3,4],\"count\":7}", 0 }, .status = 200 },
	{ "put statistics, wide", untrained, { "PUT", LAYER "/statistics", NULL, NULL, 0 }, .status = 200, .body = BODY_WIDE_STATISTICS },
	{ "put statistics, wide, gzip", untrained,
	    { "PUT", LAYER "/statistics", GZIP_ONLY, NULL, 0 }, .status = 200, .body = BODY_WIDE_STATISTICS },
	{ "reset statistics", trained, { "DELETE", LAYER "/statistics", NULL, NULL, 0 }, .status = 200 },
	{ "reset statistics, not theirs", trained, { "DELETE", LAYER "/statistics", "If-Match: \"7\"\r\n", NULL, 0 }, .status = 412 },

	{ "get parameters", with_parameters, { "GET", LAYER "/parameters", NULL, NULL, 0 }, .status = 200 },
	{ "put parameters", trained, { "PUT", LAYER "/parameters", NULL, "{\"weight\":[2,3],\"bias\":[4,5]}", 0 }, .status = 200 },
	{ "put parameters, the defaults", with_parameters, { "PUT", LAYER "/parameters", NULL, "{}", 0 }, .status = 200 },
	{ "put parameters, layer norm", layer_norm, { "PUT", LAYER "/parameters", NULL, "{\"weight\":[2,3]}", 0 }, .status = 200 },
	{ "get affine", with_parameters, { "GET", LAYER "/affine", NULL, NULL, 0 }, .status = 200 },

	{ "normalize", nothing,
	    { "POST", "/v1/normalize", NULL, "{\"kind\":\"batch_norm\",\"data\":[[1,20],[3,40]],\"weight\":[2,3]}", 0 }, .status = 200 },
	{ "normalize .npy", nothing,
	    { "POST", "/v1/normalize?definition=%7B%22kind%22:%22layer_norm%22,%22normalized_shape%22:[2]%7D", NPY_TYPE, NULL, 0 },
	    .status = 200, .body = BODY_NPY },

	{ "no JSON", trained, { "POST", LAYER "/train", NULL, "{\"data\":[[1,2],[3,4}", 0 }, .status = 400 },
	{ "no tensor", trained, { "POST", LAYER "/train", NULL, "{\"data\":[[1,2],[3]]}", 0 }, .status = 400 },
	{ "no .npy", trained, { "POST", LAYER "/train", NPY_TYPE, "no .npy", 0 }, .status = 400 },
	{ "no gzip", trained, { "POST", LAYER "/train", "Content-Encoding: gzip\r\n", "no gzip", 0 }, .status = 400 },
	{ "no definition", nothing, { "PUT", LAYER, NULL, "{\"kind\":\"batch_norm\",\"averaging\":\"best\"}", 0 }, .status = 400 },
	{ "no such parameter", trained, { "POST", LAYER "/train?x=1", NULL, JSON_DATA, 0 }, .status = 400 },
	{ "no such route", nothing, { "GET", "/v1/nothing", NULL, NULL, 0 }, .status = 404 },
	{ "no such model", nothing, { "POST", LAYER "/train", NULL, JSON_DATA, 0 }, .status = 404 },
	{ "no such layer", trained, { "DELETE", MODEL "/layers/x", NULL, NULL, 0 }, .status = 404 },
	{ "no such method", trained, { "PATCH", LAYER, NULL, NULL, 0 }, .status = 405 },
	{ "no such form of answer", trained, { "POST", LAYER "/train", "Accept: text/html\r\n", JSON_DATA, 0 }, .status = 406 },
	{ "not trained", untrained, { "POST", LAYER "/infer", NULL, JSON_DATA, 0 }, .status = 409 },
	{ "other features", trained, { "POST", LAYER "/train", NULL, "{\"data\":[[1],[2]]}", 0 }, .status = 422 },
	{ "too large", trained, { "POST", LAYER "/train", "Expect: 100-continue\r\nContent-Length: 999999999\r\n", NULL, 0 }, .status = 413 },
	{ "no such form of body", trained, { "POST", LAYER "/train", "Content-Type: text/html\r\n", JSON_DATA, 0 }, .status = 415 },
	{ "hostile framing", trained, { "GET", LAYER, "Host: 127.0.0.1\r\n", NULL, 0 }, .status = 400 },
};
/* clang-format on */

const size_t operation_count = sizeof(operations) / sizeof(operations[0]);

struct bytes {
	char *bytes;
	size_t len;
};

static struct bytes made[BODY_COUNT];

static struct bytes
room(size_t size)
{
	return (struct bytes){ calloc(1, size), 0 };
}

static float
wide_value(unsigned i)
{
	return (float)(i % 997) * 0.37f - (float)(i % 13);
}

static struct bytes
make_gzip(const char *text, size_t len)
{
	struct bytes b = room(len + 1024);
	z_stream z = { .next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)len };

	z.next_out = (Bytef *)b.bytes;
	z.avail_out = (uInt)len + 1024;
	if (deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
	    deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	b.len = z.total_out;
	deflateEnd(&z);
	return b;
}

static struct bytes
make_npy(size_t rows, size_t features)
{
	struct bytes b = room(NPY_HEADER_MAX + rows * features * sizeof(float));
	struct tensor t = {
		.rank = 2, .shape = { rows, features }, .datatype = DATATYPE_FP32, .count = rows * features
	};
	float value;

	b.len = npy_header_format(&t, b.bytes);
	for (unsigned i = 0; i < t.count; i++) {
		value = wide_value(i * i);
		memcpy(b.bytes + b.len, &value, sizeof(value));
		b.len += sizeof(value);
	}
	return b;
}

static struct bytes
make_twice(const struct bytes *once)
{
	struct bytes b = room(2 * once->len);

	memcpy(b.bytes, once->bytes, once->len);
	memcpy(b.bytes + once->len, once->bytes, once->len);
	b.len = 2 * once->len;
	return b;
}

static void
add_list(struct bytes *b, unsigned from, unsigned count)
{
	for (unsigned i = from; i < from + count; i++)
		b->len +=
		    (size_t)sprintf(b->bytes + b->len, "%c%.6g", i == from ? '[' : ',', (double)(wide_value(i) + 20));
	b->bytes[b->len++] = ']';
}

static void
add_text(struct bytes *b, const char *text)
{
	memcpy(b->bytes + b->len, text, strlen(text));
	b->len += strlen(text);
}

static struct bytes
make_wide(void)
{
	struct bytes b = room((size_t)WIDE_VALUES * 16 + 64);

	add_text(&b, "{\"data\":");
	for (unsigned i = 0; i < WIDE_ROWS; i++) {
		add_text(&b, i == 0 ? "[" : ",");
		add_list(&b, i * i * WIDE_FEATURES, WIDE_FEATURES);
	}
	add_text(&b, "]}");
	return b;
}

static struct bytes
make_wide_statistics(void)
{
	struct bytes b = room((size_t)WIDE_FEATURES * 2 * 16 + 64);

	add_text(&b, "{\"running_mean\":");
	add_list(&b, 0, WIDE_FEATURES);
	add_text(&b, ",\"running_var\":");
	add_list(&b, 0, WIDE_FEATURES);
	add_text(&b, "}");
	return b;
}

void
operations_make(void)
{
	made[BODY_GZIP] = make_gzip(JSON_DATA, strlen(JSON_DATA));
	made[BODY_NPY] = make_npy(3, 2);
	made[BODY_NPY_TWICE] = make_twice(&made[BODY_NPY]);
	made[BODY_WIDE] = make_wide();
	made[BODY_WIDE_GZIP] = make_gzip(made[BODY_WIDE].bytes, made[BODY_WIDE].len);
	made[BODY_WIDE_NPY] = make_npy(WIDE_ROWS, WIDE_FEATURES);
	made[BODY_WIDE_NPY_TWICE] = make_twice(&made[BODY_WIDE_NPY]);
	made[BODY_WIDE_STATISTICS] = make_wide_statistics();
	for (size_t i = 0; i < operation_count; i++) {
		struct message *m = &operations[i].ask;

		if (operations[i].body != BODY_AS_WRITTEN) {
			m->body = made[operations[i].body].bytes;
			m->body_len = made[operations[i].body].len;
		} else if (m->body != NULL) {
			m->body_len = strlen(m->body);
		}
	}
}
