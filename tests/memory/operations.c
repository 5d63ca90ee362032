/* SPDX-License-Identifier: MIT */
#include "tests/memory/operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"
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

#define STATE MODEL "/state.safetensors"
#define OIP_MODEL "/v2/models/m"
#define OIP_REPOSITORY "/v2/repository/models/m"

#define ASK(method, path, headers, body) \
	{ \
		method, path, headers, body, 0 \
	}
#define CREATE(definition) ASK("PUT", LAYER, NULL, definition)
#define TRAIN ASK("POST", LAYER "/train?output=false", NULL, "{\"data\":[[2,10],[3,40],[7,30]]}")
#define BATCH_NORM(fields) CREATE("{\"kind\":\"batch_norm\"" fields "}")

/* More values than an answer of text is made of at once, over many features. */
#define WIDE_ROWS 10
#define WIDE_FEATURES 2000
#define WIDE_VALUES (WIDE_ROWS * WIDE_FEATURES)

static const struct message nothing[] = { { 0 } };
static const struct message trained[] = { BATCH_NORM(""), TRAIN, { 0 } };
static const struct message with_parameters[] = { BATCH_NORM(",\"num_features\":2"),
	ASK("PUT", LAYER "/parameters", NULL, "{\"weight\":[2,3],\"bias\":[0.1,0.7]}"), TRAIN, { 0 } };
static const struct message used_key[] = { BATCH_NORM(""), ASK("POST", LAYER "/train", KEY, JSON_DATA), { 0 } };
static const struct message pooled[] = { BATCH_NORM(",\"averaging\":\"pooled\""), TRAIN, { 0 } };
static const struct message cumulative[] = { BATCH_NORM(",\"momentum\":null"), TRAIN, { 0 } };

#define RUNNING "{\"kind\":\"batch_norm\",\"normalize_by\":\"running\",\"averaging\":\"pooled\",\"with_mean\":false}"
static const struct message running[] = { CREATE(RUNNING), TRAIN, { 0 } };
static const struct message running_key[] = { CREATE(RUNNING), ASK("POST", LAYER "/train", KEY, JSON_DATA), TRAIN,
	{ 0 } };

#define FREEZE ASK("PUT", LAYER "/frozen", NULL, "{\"frozen\":true}")
static const struct message frozen[] = { BATCH_NORM(""), TRAIN, FREEZE, { 0 } };
static const struct message frozen_after_key[] = { BATCH_NORM(""), ASK("POST", LAYER "/train", KEY, JSON_DATA), FREEZE,
	{ 0 } };

/* Sources, and a part without one. Each is put once, so that the time it came at does not change. */
#define POOLED BATCH_NORM(",\"averaging\":\"pooled\"")
#define TOTALS(count) "{\"count\":" count ",\"mean\":[1,2],\"var\":[3,4]}"
#define SOURCE(name) ASK("PUT", LAYER "/statistics/sources/" name, NULL, TOTALS("5"))
static const struct message sourced[] = { POOLED, TRAIN, SOURCE("a"), SOURCE("b"), SOURCE("c"), { 0 } };
static const struct message one_source[] = { POOLED, SOURCE("a"), { 0 } };

/* Versions: one that serves and an alias names, as the layer was before it was trained once more; and a later one. */
#define MAKE_VERSION ASK("POST", MODEL "/versions", NULL, "{\"note\":\"a note\"}")
#define KEYED_VERSION ASK("POST", MODEL "/versions", KEY, "{}")
static const struct message versioned[] = { BATCH_NORM(""), TRAIN, MAKE_VERSION,
	ASK("PUT", MODEL "/aliases/champion", NULL, "{\"version\":@}"),
	ASK("PUT", MODEL "/serving", NULL, "{\"version\":\"champion\"}"), TRAIN, MAKE_VERSION, { 0 } };
static const struct message version_key[] = { BATCH_NORM(""), TRAIN, KEYED_VERSION, TRAIN, { 0 } };

/* Calls of several layers: a second one, and one that keeps no statistics. */
#define OTHER(definition) ASK("PUT", MODEL "/layers/other", NULL, definition)
#define ROWS ASK("PUT", MODEL "/layers/rows", NULL, "{\"kind\":\"layer_norm\",\"normalized_shape\":[2]}")
#define OIP_INPUT(name) "{\"name\":\"" name "\",\"shape\":[3,2],\"datatype\":\"FP32\",\"data\":[1,20,3,40,5,60]}"
#define OIP_CALL(more) "{\"inputs\":[" OIP_INPUT("l") "," OIP_INPUT("other") "," OIP_INPUT("rows") "]" more "}"
#define OIP_MODE(mode) ",\"parameters\":{\"mode\":\"" mode "\"}"
#define OIP_INFER(headers, more) ASK("POST", OIP_MODEL "/infer", headers, OIP_CALL(more))
#define OIP_TRAIN(headers) OIP_INFER(headers, OIP_MODE("train"))
/* The same of tensors' bytes, which are any but NUL. */
#define OIP_BYTES(name) \
	"{\"name\":\"" name "\",\"shape\":[3,2],\"datatype\":\"FP32\",\"parameters\":{\"binary_data_size\":24}}"
#define OIP_LISTED "\"inputs\":[" OIP_BYTES("l") "," OIP_BYTES("other") "," OIP_BYTES("rows") "]"
#define OIP_DOCUMENT(mode) "{" OIP_LISTED ",\"parameters\":{\"mode\":\"" mode "\",\"binary_data_output\":true}}"
#define OIP_DOCUMENT_BYTES 321
_Static_assert(sizeof(OIP_DOCUMENT("train")) - 1 == OIP_DOCUMENT_BYTES, "OIP_HEADER says how long the document is");
#define OIP_HEADER "inference-header-content-length: 321\r\n"
#define OIP_VALUES "0000aaaa1111bbbb2222cccc"
#define OIP_OF_BYTES(headers, mode) \
	ASK("POST", OIP_MODEL "/infer", OIP_HEADER headers, OIP_DOCUMENT(mode) OIP_VALUES OIP_VALUES OIP_VALUES)
#define OIP_MIXED ",\"outputs\":[{\"name\":\"l\",\"parameters\":{\"binary_data\":true}},{\"name\":\"rows\"}]"
static const struct message several[] = { BATCH_NORM(""), OTHER("{\"kind\":\"batch_norm\"}"), ROWS, OIP_TRAIN(NULL),
	{ 0 } };
static const struct message several_key[] = { BATCH_NORM(""), OTHER("{\"kind\":\"batch_norm\"}"), ROWS, OIP_TRAIN(KEY),
	{ 0 } };
static const struct message several_frozen[] = { BATCH_NORM(""), OTHER("{\"kind\":\"batch_norm\"}"), ROWS,
	OIP_TRAIN(NULL), ASK("PUT", MODEL "/layers/other/frozen", NULL, "{\"frozen\":true}"), { 0 } };
static const struct message several_running[] = { CREATE(RUNNING), OTHER(RUNNING), ROWS, OIP_TRAIN(NULL), { 0 } };

/* A layer that was never trained. */
#define LAYER_OF(name, definition) static const struct message name[] = { CREATE(definition), { 0 } }

LAYER_OF(untrained, "{\"kind\":\"batch_norm\"}");
LAYER_OF(untrained_pool, "{\"kind\":\"batch_norm\",\"averaging\":\"pooled\"}");
LAYER_OF(untracked, "{\"kind\":\"batch_norm\",\"track_running_stats\":false}");
LAYER_OF(layer_norm, "{\"kind\":\"layer_norm\",\"normalized_shape\":[2]}");
LAYER_OF(layer_norm_rows, "{\"kind\":\"layer_norm\",\"normalized_shape\":[3]}");
LAYER_OF(rms_norm_rows, "{\"kind\":\"rms_norm\",\"normalized_shape\":[3],\"clip\":1}");
LAYER_OF(instance_norm, "{\"kind\":\"instance_norm\",\"affine\":true,\"track_running_stats\":true}");
LAYER_OF(group_norm, "{\"kind\":\"group_norm\",\"num_groups\":1,\"num_channels\":2,\"clip\":1}");
LAYER_OF(ghost_batches, "{\"kind\":\"batch_norm\",\"virtual_batch_size\":1}");
LAYER_OF(shuffling, "{\"kind\":\"batch_norm\",\"shuffle\":true}");
LAYER_OF(running_first, RUNNING);
LAYER_OF(renorm, "{\"kind\":\"batch_norm\",\"renorm\":{},\"clip\":1}");

/* clang-format off */
struct operation operations[] = {
	{ "live", nothing, ASK("GET", "/v2/health/live", NULL, NULL), .status = 200 },
	{ "ready", nothing, ASK("GET", "/v2/health/ready", NULL, NULL), .status = 200 },
	{ "live, a new client", nothing, ASK("GET", "/v2/health/live", NULL, NULL), .status = 200, .new_client = true },
	{ "log level", nothing, ASK("GET", "/v1/log-level", NULL, NULL), .status = 200 },
	{ "put log level", nothing, ASK("PUT", "/v1/log-level", NULL, "{\"level\":\"info\"}"), .status = 200 },
	{ "API document", nothing, ASK("GET", "/openapi.json", NULL, NULL), .status = 200 },
	{ "page", nothing, ASK("GET", "/", NULL, NULL), .status = 200 },
	{ "page, JSON", nothing, ASK("GET", "/", "Accept: application/json\r\n", NULL), .status = 200 },
	{ "file of a page, gzip", nothing, ASK("GET", "/web/vendor/uPlot.iife.min.js", GZIP_WANTED, NULL),
	    .status = 200 },
	{ "API document, gzip", nothing, ASK("GET", "/openapi.json", GZIP_WANTED, NULL), .status = 200 },

	{ "list models", trained, ASK("GET", "/v1/models?limit=1", NULL, NULL), .status = 200 },
	{ "get model", trained, ASK("GET", MODEL, NULL, NULL), .status = 200 },
	{ "get model, cold", trained, ASK("GET", MODEL, NULL, NULL), .status = 200, .cold = true },
	{ "delete model", trained, ASK("DELETE", MODEL, NULL, NULL), .status = 204 },

	{ "create layer, model and all", nothing,
	    CREATE("{\"kind\":\"batch_norm\",\"num_features\":3}"), .status = 201 },
	{ "create layer norm", nothing,
	    CREATE("{\"kind\":\"layer_norm\",\"normalized_shape\":[2,3]}"), .status = 201 },
	{ "create layer that stands", trained, CREATE("{\"kind\":\"batch_norm\"}"), .status = 200 },
	{ "create layer that differs", trained,
	    CREATE("{\"kind\":\"batch_norm\",\"eps\":0.5}"), .status = 409 },
	{ "get layer", trained, ASK("GET", LAYER, NULL, NULL), .status = 200 },
	{ "get layer, cold", trained, ASK("GET", LAYER, NULL, NULL), .status = 200, .cold = true },
	{ "delete layer", trained, ASK("DELETE", LAYER, "If-Match: \"1\"\r\n", NULL), .status = 204 },
	{ "delete layer, cold", trained, ASK("DELETE", LAYER, NULL, NULL), .status = 204, .cold = true },

	{ "train", trained, ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 200 },
	{ "train, the first", untrained, ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 200 },
	{ "train, cold", with_parameters, ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 200, .cold = true },
	{ "train, a new client", trained,
	    ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 200, .new_client = true },
	{ "train, with parameters", with_parameters, ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 200 },
	{ "train, no output", trained, ASK("POST", LAYER "/train?output=false", NULL, JSON_DATA), .status = 200 },
	{ "train, pooled", pooled, ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 200 },
	{ "train, cumulative", cumulative, ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 200 },
	{ "train, by running statistics", running,
	    ASK("POST", LAYER "/train", NULL, "{\"data\":[[3,40]]}"), .status = 200 },
	{ "train, by running statistics, the first", running_first,
	    ASK("POST", LAYER "/train", NULL, JSON_PADDED), .status = 200 },
	{ "train, by running statistics, cold", running,
	    ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 200, .cold = true },
	{ "train, by running statistics that might not fit", running,
	    ASK("POST", LAYER "/train", NULL, "{\"data\":[[1e38,1],[-1e38,2]]}"), .status = 200 },
	{ "train, by running statistics, wide", running_first,
	    ASK("POST", LAYER "/train", NULL, NULL), .status = 200, .body = BODY_WIDE },
	{ "train, by running statistics, under a key that was used", running_key,
	    ASK("POST", LAYER "/train", KEY, JSON_DATA), .status = 200, .once = true },
	{ "train, untracked", untracked, ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 200 },
	{ "train, layer norm", layer_norm, ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 200 },
	{ "train, of FP16", trained,
	    ASK("POST", LAYER "/train", NULL,
	        "{\"shape\":[2,2],\"datatype\":\"FP16\",\"data\":[1,2,3,4],\"output\":true}"), .status = 200 },
	{ "train, a result that might not fit", trained,
	    ASK("POST", LAYER "/train", NULL, "{\"data\":[[1e38,1],[-1e38,2]]}"), .status = 200 },
	{ "train, gzip both ways", trained,
	    ASK("POST", LAYER "/train", "Content-Encoding: gzip\r\n" GZIP_ONLY,
	        NULL), .status = 200, .body = BODY_GZIP },
	{ "train, .npy", trained, ASK("POST", LAYER "/train", NPY_TYPE, NULL), .status = 200, .body = BODY_NPY },
	{ "train, .npy, no output", trained,
	    ASK("POST", LAYER "/train?output=false", NPY_TYPE, NULL), .status = 204, .body = BODY_NPY },
	{ "train, .npy to JSON", trained,
	    ASK("POST", LAYER "/train", NPY_TYPE "Accept: application/json\r\n",
	        NULL), .status = 200, .body = BODY_NPY },
	{ "train, JSON to .npy", trained,
	    ASK("POST", LAYER "/train", "Accept: application/x-npy\r\n", JSON_DATA), .status = 200 },
	{ "train, wide", untrained, ASK("POST", LAYER "/train", NULL, NULL), .status = 200, .body = BODY_WIDE },
	{ "train, wide, gzip if it goes", untrained,
	    ASK("POST", LAYER "/train", GZIP_WANTED, NULL), .status = 200, .body = BODY_WIDE },
	{ "train, wide, gzip", untrained,
	    ASK("POST", LAYER "/train", GZIP_ONLY, NULL), .status = 200, .body = BODY_WIDE },
	{ "train, wide, of gzip", untrained,
	    ASK("POST", LAYER "/train?output=false", "Content-Encoding: gzip\r\n",
	        NULL), .status = 200, .body = BODY_WIDE_GZIP },
	{ "train, wide .npy", untrained,
	    ASK("POST", LAYER "/train", NPY_TYPE, NULL), .status = 200, .body = BODY_WIDE_NPY },
	{ "train, wide .npy, gzip", untrained,
	    ASK("POST", LAYER "/train", NPY_TYPE GZIP_ONLY, NULL), .status = 200, .body = BODY_WIDE_NPY },

	{ "train, under a key", trained, ASK("POST", LAYER "/train", KEY, JSON_DATA), .status = 200, .once = true },
	{ "train, under a key that was used", used_key,
	    ASK("POST", LAYER "/train", KEY, JSON_DATA), .status = 200, .once = true },
	{ "train, under a key of another body", used_key,
	    ASK("POST", LAYER "/train", KEY, "{\"data\":[[1,2],[2,5]]}"), .status = 422 },
	{ "train, no key", trained, ASK("POST", LAYER "/train", "Idempotency-Key: \"\r\n", JSON_DATA), .status = 400 },

	{ "train, frozen", frozen, ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 200, .once = true },
	{ "train, frozen, cold", frozen, ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 200, .cold = true },
	{ "train, frozen, no output", frozen,
	    ASK("POST", LAYER "/train?output=false", NULL, JSON_DATA), .status = 200 },
	{ "train, frozen, .npy", frozen,
	    ASK("POST", LAYER "/train", NPY_TYPE, NULL), .status = 200, .body = BODY_NPY, .once = true },
	{ "train, frozen, under a key", frozen,
	    ASK("POST", LAYER "/train", KEY, JSON_DATA), .status = 200, .once = true },
	{ "train, frozen, under a key that was used", frozen_after_key,
	    ASK("POST", LAYER "/train", KEY, JSON_DATA), .status = 200, .once = true },
	{ "train, frozen, sync", frozen,
	    ASK("POST", LAYER "/train", NULL,
	        "{\"data\":[[1,20],[3,40]]," SYNC("1") "}"), .status = 200, .once = true },
	{ "backward, frozen", frozen_after_key,
	    ASK("POST", LAYER "/backward", NULL,
	        "{\"input\":" JSON_DATA ",\"grad_output\":" JSON_DATA "," SYNC("1") "}"), .status = 200 },
	{ "merge, frozen", frozen,
	    ASK("POST", LAYER "/statistics/merge", NULL, "{\"count\":5,\"mean\":[1,2],\"var\":[3,4]}"), .status = 409 },
	{ "reset statistics, frozen", frozen, ASK("DELETE", LAYER "/statistics", NULL, NULL), .status = 409 },
	{ "get frozen", frozen, ASK("GET", LAYER "/frozen", NULL, NULL), .status = 200 },
	{ "freeze", trained, ASK("PUT", LAYER "/frozen", NULL, "{\"frozen\":true}"), .status = 200, .once = true },
	{ "freeze, cold", trained,
	    ASK("PUT", LAYER "/frozen", "If-Match: \"1\"\r\n", "{\"frozen\":true}"), .status = 200, .cold = true },
	{ "thaw", frozen, ASK("PUT", LAYER "/frozen", NULL, "{\"frozen\":false}"), .status = 200, .once = true },
	{ "freeze model", trained,
	    ASK("PUT", MODEL "/frozen", NULL, "{\"frozen\":true}"), .status = 200, .once = true },
	{ "freeze model, cold", trained,
	    ASK("PUT", MODEL "/frozen", NULL, "{\"frozen\":true}"), .status = 200, .cold = true },
	{ "freeze no model", nothing, ASK("PUT", MODEL "/frozen", NULL, "{\"frozen\":true}"), .status = 404 },

	{ "infer", trained, ASK("POST", LAYER "/infer", NULL, JSON_DATA), .status = 200 },
	{ "infer, cold", with_parameters, ASK("POST", LAYER "/infer", NULL, JSON_DATA), .status = 200, .cold = true },
	{ "infer, gzip", trained, ASK("POST", LAYER "/infer", GZIP_ONLY, JSON_DATA), .status = 200 },
	{ "infer, .npy", trained, ASK("POST", LAYER "/infer", NPY_TYPE, NULL), .status = 200, .body = BODY_NPY },
	{ "drift", trained, ASK("GET", LAYER "/drift?min_count=2", NULL, NULL), .status = 200 },
	{ "drift, cold", trained, ASK("GET", LAYER "/drift", NULL, NULL), .status = 200, .cold = true },
	{ "a new window", trained, ASK("DELETE", LAYER "/drift", NULL, NULL), .status = 204 },
	{ "report", trained, ASK("POST", LAYER "/report?min_count=2", NULL, JSON_DATA), .status = 200 },
	{ "report, .npy, cold", trained, ASK("POST", LAYER "/report", NPY_TYPE, NULL), .status = 200, .body = BODY_NPY,
	    .cold = true },
	{ "report, mask", trained, ASK("POST", LAYER "/report", NULL, JSON_MASKED), .status = 200 },
	{ "infer, untracked", untracked, ASK("POST", LAYER "/infer", NULL, JSON_DATA), .status = 200 },
	{ "infer, another state expected", trained,
	    ASK("POST",
	        LAYER "/infer?expect=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", NULL,
	        JSON_DATA),
	    .status = 412 },
	{ "infer, layer norm, wide", layer_norm,
	    ASK("POST", LAYER "/infer", NPY_TYPE, NULL), .status = 422, .body = BODY_WIDE_NPY },

	{ "train, lengths", untrained, ASK("POST", LAYER "/train", NULL, JSON_PADDED), .status = 200 },
	{ "train, mask", untrained, ASK("POST", LAYER "/train", NULL, JSON_MASKED), .status = 200 },
	{ "train, lengths in the query", untrained,
	    ASK("POST", LAYER "/train?lengths=3,2", NULL, "{\"data\":" JSON_3D "}"), .status = 200 },
	{ "train, mask in the query", untrained,
	    ASK("POST", LAYER "/train?mask=1,1,0,true,true,true", NULL, "{\"data\":" JSON_3D "}"), .status = 200 },
	{ "train, lengths too long", untrained,
	    ASK("POST", LAYER "/train?lengths=3,4", NULL, "{\"data\":" JSON_3D "}"), .status = 400 },
	{ "train, layer norm, mask", layer_norm_rows, ASK("POST", LAYER "/train", NULL, JSON_ROWS), .status = 200 },
	{ "train, RMS norm, mask", rms_norm_rows, ASK("POST", LAYER "/train", NULL, JSON_ROWS), .status = 200 },
	{ "train, group norm, lengths", group_norm, ASK("POST", LAYER "/train", NULL, JSON_PADDED), .status = 200 },
	{ "train, instance norm", instance_norm,
	    ASK("POST", LAYER "/train", NULL, "{\"data\":" JSON_3D "}"), .status = 200 },
	{ "train, instance norm, lengths", instance_norm,
	    ASK("POST", LAYER "/train", NULL, JSON_PADDED), .status = 200 },
	{ "train, ghost batches", ghost_batches, ASK("POST", LAYER "/train", NULL, JSON_PADDED), .status = 200 },
	{ "train, shuffled", shuffling, ASK("POST", LAYER "/train?seed=5", NULL, JSON_PADDED), .status = 200 },
	{ "train, shuffled, under a key", shuffling,
	    ASK("POST", LAYER "/train", KEY, JSON_PADDED), .status = 200, .once = true },
	{ "train, renorm", renorm, ASK("POST", LAYER "/train?output=false", NULL, JSON_PADDED), .status = 200 },
	{ "infer, group norm, mask", group_norm, ASK("POST", LAYER "/infer", NULL, JSON_MASKED), .status = 200 },
	{ "infer, inverse", trained, ASK("POST", LAYER "/infer?inverse=true", NULL, JSON_DATA), .status = 200 },

	{ "backward", untrained, ASK("POST", LAYER "/backward", NULL, BACKWARD("")), .status = 200 },
	{ "backward, cold", with_parameters,
	    ASK("POST", LAYER "/backward", NULL, BACKWARD("")), .status = 200, .cold = true },
	{ "backward, infer", with_parameters,
	    ASK("POST", LAYER "/backward?mode=infer", NULL, BACKWARD("")), .status = 200 },
	{ "backward, by running statistics", running,
	    ASK("POST", LAYER "/backward", NULL, BACKWARD("")), .status = 200 },
	{ "backward, lengths", with_parameters, ASK("POST", LAYER "/backward", NULL, BACKWARD_PADDED), .status = 200 },
	{ "backward, to .npy", with_parameters,
	    ASK("POST", LAYER "/backward", "Accept: application/x-npy\r\n", BACKWARD("")), .status = 200 },
	{ "backward, .npy", trained,
	    ASK("POST", LAYER "/backward", NPY_TYPE, NULL), .status = 200, .body = BODY_NPY_TWICE },
	{ "backward, wide .npy", untrained,
	    ASK("POST", LAYER "/backward", NPY_TYPE GZIP_ONLY, NULL), .status = 200, .body = BODY_WIDE_NPY_TWICE },
	{ "backward, layer norm", layer_norm_rows, ASK("POST", LAYER "/backward", NULL, BACKWARD("")), .status = 200 },
	{ "backward, layer norm, lengths", layer_norm_rows,
	    ASK("POST", LAYER "/backward", NULL, BACKWARD_ROWS), .status = 200 },
	{ "backward, RMS norm, lengths", rms_norm_rows,
	    ASK("POST", LAYER "/backward", NULL, BACKWARD_ROWS), .status = 200 },
	{ "backward, instance norm, lengths", instance_norm,
	    ASK("POST", LAYER "/backward", NULL, BACKWARD_PADDED), .status = 200 },
	{ "backward, group norm, clipped", group_norm,
	    ASK("POST", LAYER "/backward", NULL, BACKWARD("")), .status = 200 },
	{ "backward, ghost batches", ghost_batches,
	    ASK("POST", LAYER "/backward", NULL, BACKWARD_PADDED), .status = 200 },
	{ "backward, shuffled", shuffling,
	    ASK("POST", LAYER "/backward?seed=5", NULL, BACKWARD_PADDED), .status = 200 },
	{ "backward, renorm, clipped", renorm, ASK("POST", LAYER "/backward", NULL, BACKWARD_PADDED), .status = 200 },
	{ "backward, of one tensor", trained,
	    ASK("POST", LAYER "/backward", NULL, "{\"input\":{\"data\":[[1,2]]}}"), .status = 400 },

	{ "sync, train", trained,
	    ASK("POST", LAYER "/train", NULL,
	        "{\"data\":[[1,20],[3,40]]," SYNC("1") "}"), .status = 200, .once = true },
	{ "sync, train, by the query", trained,
	    ASK("POST", LAYER "/train?sync=%7B%22step%22:%221%22,%22rank%22:0,%22world_size%22:1%7D", NPY_TYPE,
	        NULL), .status = 200, .body = BODY_NPY, .once = true },
	{ "sync, train, lengths", untrained,
	    ASK("POST", LAYER "/train", NULL,
	        "{\"data\":" JSON_3D ",\"lengths\":[3,2]," SYNC("1") "}"), .status = 200, .once = true },
	{ "sync, train, by running statistics", running,
	    ASK("POST", LAYER "/train", NULL,
	        "{\"data\":[[1,20],[3,40]]," SYNC("1") "}"), .status = 200, .once = true },
	{ "sync, backward", with_parameters,
	    ASK("POST", LAYER "/backward", NULL, BACKWARD("," SYNC("1"))), .status = 200 },
	{ "sync, backward, lengths", with_parameters,
	    ASK("POST", LAYER "/backward", NULL, BACKWARD(",\"lengths\":[3,2]," SYNC("1"))), .status = 200 },
	{ "sync, that never fills", trained,
	    ASK("POST", LAYER "/train", NULL,
	        "{\"data\":[[1,20],[3,40]],\"sync\":{\"step\":\"1\",\"rank\":0,\"world_size\":2,\"timeout_ms\":1}}"),
	    .status = 409 },

	{ "merge", trained,
	    ASK("POST", LAYER "/statistics/merge", NULL, "{\"count\":5,\"mean\":[1,2],\"var\":[3,4]}"), .status = 200 },
	{ "merge, under a key", trained,
	    ASK("POST", LAYER "/statistics/merge", KEY,
	        "{\"count\":5,\"mean\":[1,2],\"var\":[3,4]}"), .status = 200, .once = true },
	{ "merge, pooled", pooled,
	    ASK("POST", LAYER "/statistics/merge", NULL, "{\"count\":5,\"mean\":[1,2],\"var\":[3,4]}"), .status = 200 },
	{ "get statistics", trained, ASK("GET", LAYER "/statistics", NULL, NULL), .status = 200 },
	{ "head of statistics", trained, ASK("HEAD", LAYER "/statistics", NULL, NULL), .status = 200 },
	{ "get statistics, cold", trained, ASK("GET", LAYER "/statistics", NULL, NULL), .status = 200, .cold = true },
	{ "get history", trained, ASK("GET", LAYER "/history", NULL, NULL), .status = 200 },
	{ "get history, cold", trained, ASK("GET", LAYER "/history?limit=1", NULL, NULL), .status = 200, .cold = true },
	{ "get history, none", untrained, ASK("GET", LAYER "/history?after=9", NULL, NULL), .status = 200 },
	{ "put statistics", untrained,
	    ASK("PUT", LAYER "/statistics", NULL,
	        "{\"running_mean\":[1,2],\"running_var\":[3,4],\"num_batches_tracked\":7}"), .status = 200 },
	{ "put statistics, pooled", pooled,
	    ASK("PUT", LAYER "/statistics", NULL,
	        "{\"running_mean\":[1,2],\"running_var\":[3,4],\"count\":7}"), .status = 200 },
	{ "put statistics, wide", untrained,
	    ASK("PUT", LAYER "/statistics", NULL, NULL), .status = 200, .body = BODY_WIDE_STATISTICS },
	{ "put statistics, wide, gzip", untrained,
	    ASK("PUT", LAYER "/statistics", GZIP_ONLY, NULL), .status = 200, .body = BODY_WIDE_STATISTICS },
	{ "reset statistics", trained, ASK("DELETE", LAYER "/statistics", NULL, NULL), .status = 200 },
	{ "reset statistics, not theirs", trained,
	    ASK("DELETE", LAYER "/statistics", "If-Match: \"7\"\r\n", NULL), .status = 412 },

	{ "put source, the first", untrained_pool,
	    ASK("PUT", LAYER "/statistics/sources/a", NULL, TOTALS("5")), .status = 200 },
	{ "put source, the first beside a part", pooled,
	    ASK("PUT", LAYER "/statistics/sources/a", NULL, TOTALS("5")), .status = 200 },
	{ "put source", sourced, ASK("PUT", LAYER "/statistics/sources/b", NULL, TOTALS("6")), .status = 200 },
	{ "put source, a new one", sourced,
	    ASK("PUT", LAYER "/statistics/sources/d", NULL, TOTALS("6")), .status = 200 },
	{ "put source, cold", sourced,
	    ASK("PUT", LAYER "/statistics/sources/b", NULL, TOTALS("6")), .status = 200, .cold = true },
	{ "put source, that went back", sourced,
	    ASK("PUT", LAYER "/statistics/sources/b", NULL, TOTALS("4")), .status = 409 },
	{ "put source, not pooled", trained,
	    ASK("PUT", LAYER "/statistics/sources/b", NULL, TOTALS("4")), .status = 400 },
	{ "get source", sourced, ASK("GET", LAYER "/statistics/sources/b", NULL, NULL), .status = 200 },
	{ "get source, none", sourced, ASK("GET", LAYER "/statistics/sources/x", NULL, NULL), .status = 404 },
	{ "list sources", sourced, ASK("GET", LAYER "/statistics/sources?limit=2", NULL, NULL), .status = 200 },
	{ "delete source", sourced, ASK("DELETE", LAYER "/statistics/sources/b", NULL, NULL), .status = 204 },
	{ "delete source, the last", one_source,
	    ASK("DELETE", LAYER "/statistics/sources/a", NULL, NULL), .status = 204 },
	{ "delete source, cold", sourced,
	    ASK("DELETE", LAYER "/statistics/sources/b", NULL, NULL), .status = 204, .cold = true },
	{ "compact", sourced,
	    ASK("POST", LAYER "/statistics/sources/compact", NULL, "{\"sources\":[\"c\",\"a\"]}"), .status = 200 },
	{ "compact, under a key", sourced,
	    ASK("POST", LAYER "/statistics/sources/compact", KEY, "{\"sources\":[\"c\",\"a\"]}"),
	    .status = 200, .once = true },
	{ "compact, cold", sourced,
	    ASK("POST", LAYER "/statistics/sources/compact", NULL, "{\"sources\":[\"a\",\"b\",\"c\"]}"),
	    .status = 200, .cold = true },
	{ "compact, one is none", sourced,
	    ASK("POST", LAYER "/statistics/sources/compact", NULL, "{\"sources\":[\"a\",\"x\"]}"), .status = 404 },
	{ "train, a source", sourced, ASK("POST", LAYER "/train?source=b", NULL, JSON_DATA), .status = 200 },
	{ "train, a new source", sourced, ASK("POST", LAYER "/train?source=d", NULL, JSON_DATA), .status = 200 },
	{ "train, a source, under a key", sourced,
	    ASK("POST", LAYER "/train?source=b", KEY, JSON_DATA), .status = 200, .once = true },
	{ "train, beside sources, cold", sourced,
	    ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 200, .cold = true },
	{ "reset statistics, of sources", sourced, ASK("DELETE", LAYER "/statistics", NULL, NULL), .status = 200 },
	{ "delete layer, of sources", sourced, ASK("DELETE", LAYER, NULL, NULL), .status = 204 },

	{ "get parameters", with_parameters, ASK("GET", LAYER "/parameters", NULL, NULL), .status = 200 },
	{ "put parameters", trained,
	    ASK("PUT", LAYER "/parameters", NULL, "{\"weight\":[2,3],\"bias\":[4,5]}"), .status = 200 },
	{ "put parameters, the defaults", with_parameters, ASK("PUT", LAYER "/parameters", NULL, "{}"), .status = 200 },
	{ "put parameters, layer norm", layer_norm,
	    ASK("PUT", LAYER "/parameters", NULL, "{\"weight\":[2,3]}"), .status = 200 },
	{ "get affine", with_parameters, ASK("GET", LAYER "/affine", NULL, NULL), .status = 200 },

	{ "export", with_parameters, ASK("GET", STATE, NULL, NULL), .status = 200 },
	{ "export, FP32, cold", with_parameters,
	    ASK("GET", STATE "?datatype=FP32", NULL, NULL), .status = 200, .cold = true },
	{ "export, a part", trained, ASK("GET", STATE, "Range: bytes=-100\r\n", NULL), .status = 206 },
	{ "export, beyond the end", trained, ASK("GET", STATE, "Range: bytes=9999999-\r\n", NULL), .status = 416 },
	{ "import", with_parameters, ASK("PUT", STATE, NULL, NULL), .status = 200, .body = BODY_STATE },
	{ "import, model and all", nothing, ASK("PUT", STATE, NULL, NULL), .status = 200, .body = BODY_STATE },
	{ "import, gzip, cold", with_parameters,
	    ASK("PUT", STATE, "Content-Encoding: gzip\r\n", NULL), .status = 200, .body = BODY_STATE_GZIP,
	    .cold = true },
	{ "import, frozen", frozen, ASK("PUT", STATE, NULL, NULL), .status = 409, .body = BODY_STATE },
	{ "no safetensors", trained, ASK("PUT", STATE, NULL, "no safetensors"), .status = 400 },

	{ "normalize", nothing,
	    ASK("POST", "/v1/normalize", NULL,
	        "{\"kind\":\"batch_norm\",\"data\":[[1,20],[3,40]],\"weight\":[2,3]}"), .status = 200 },
	{ "normalize, by running statistics", nothing,
	    ASK("POST", "/v1/normalize", NULL,
	        "{\"kind\":\"batch_norm\",\"normalize_by\":\"running\",\"virtual_batch_size\":2,"
	        "\"data\":[[1,20],[3,40],[3,41],[2,7]],\"weight\":[2,3]}"), .status = 200 },
	{ "normalize .npy", nothing,
	    ASK("POST", "/v1/normalize?definition=%7B%22kind%22:%22layer_norm%22,%22normalized_shape%22:[2]%7D",
	        NPY_TYPE, NULL), .status = 200, .body = BODY_NPY },

	{ "make version, the first", trained, MAKE_VERSION, .status = 201, .versions = true },
	{ "make version", versioned, MAKE_VERSION, .status = 201, .versions = true },
	{ "make version, cold", versioned, MAKE_VERSION, .status = 201, .cold = true, .versions = true },
	{ "make version, under a key", trained, KEYED_VERSION, .status = 201, .once = true, .versions = true },
	{ "make version, under a key that was used", version_key,
	    KEYED_VERSION, .status = 201, .once = true, .versions = true },
	{ "make version, of no model", nothing, MAKE_VERSION, .status = 404, .versions = true },
	{ "list versions", versioned, ASK("GET", MODEL "/versions", NULL, NULL), .status = 200, .versions = true },
	{ "get version", versioned,
	    ASK("GET", MODEL "/versions/champion", NULL, NULL), .status = 200, .versions = true },
	{ "get version, cold", versioned,
	    ASK("GET", MODEL "/versions/@", NULL, NULL), .status = 200, .cold = true, .versions = true },
	{ "delete version", versioned,
	    ASK("DELETE", MODEL "/versions/@", NULL, NULL), .status = 204, .versions = true },
	{ "delete version in use", versioned,
	    ASK("DELETE", MODEL "/versions/champion", NULL, NULL), .status = 409, .versions = true },
	{ "train, first since a version", versioned,
	    ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 200, .versions = true },
	{ "train, first since a version, cold", versioned,
	    ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 200, .cold = true, .versions = true },
	{ "delete layer of versions", versioned, ASK("DELETE", LAYER, NULL, NULL), .status = 204, .versions = true },
	{ "freeze model of versions", versioned,
	    ASK("PUT", MODEL "/frozen", NULL, "{\"frozen\":true}"), .status = 200, .once = true, .versions = true },
	{ "delete model of versions", versioned, ASK("DELETE", MODEL, NULL, NULL), .status = 204, .versions = true },
	{ "OIP infer", several, OIP_INFER(NULL, ""), .status = 200 },
	{ "OIP infer, cold", several, OIP_INFER(NULL, ""), .status = 200, .cold = true },
	{ "OIP infer, mixed", several, OIP_INFER(NULL, OIP_MIXED), .status = 200 },
	{ "OIP infer, one layer is not there", trained, OIP_INFER(NULL, ""), .status = 404, .cold = true },
	{ "OIP train", several, OIP_TRAIN(NULL), .status = 200 },
	{ "OIP train, cold", several, OIP_TRAIN(NULL), .status = 200, .cold = true },
	{ "OIP train, mixed", several, OIP_INFER(NULL, OIP_MIXED OIP_MODE("train")), .status = 200 },
	{ "OIP train, under a key", several, OIP_TRAIN(KEY), .status = 200, .once = true },
	{ "OIP train, under a key that was used", several_key, OIP_TRAIN(KEY), .status = 200, .once = true },
	{ "OIP train, one layer is frozen", several_frozen, OIP_TRAIN(KEY), .status = 200, .once = true },
	{ "OIP train, by running statistics, under a key", several_running, OIP_TRAIN(KEY), .status = 200,
	    .once = true },
	{ "OIP infer, of bytes", several, OIP_OF_BYTES("", "infer"), .status = 200 },
	{ "OIP train, of bytes", several, OIP_OF_BYTES("", "train"), .status = 200 },
	{ "OIP train, of bytes, under a key", several, OIP_OF_BYTES(KEY, "train"), .status = 200, .once = true },
	{ "OIP metadata, cold", trained, ASK("GET", OIP_MODEL, NULL, NULL), .status = 200, .cold = true },
	{ "OIP metadata of a version", versioned,
	    ASK("GET", OIP_MODEL "/versions/champion", NULL, NULL), .status = 200, .versions = true },
	{ "OIP configuration of what serves, cold", versioned,
	    ASK("GET", OIP_MODEL "/config", NULL, NULL), .status = 200, .cold = true, .versions = true },
	{ "OIP ready", trained, ASK("GET", OIP_MODEL "/ready", NULL, NULL), .status = 200 },
	{ "OIP statistics", trained, ASK("GET", OIP_MODEL "/stats", NULL, NULL), .status = 200 },
	{ "OIP statistics of all", trained, ASK("GET", "/v2/models/stats", NULL, NULL), .status = 200 },
	{ "OIP index", trained, ASK("POST", "/v2/repository/index", NULL, "{\"ready\":true}"), .status = 200 },
	{ "OIP load", trained, ASK("POST", OIP_REPOSITORY "/load", NULL, "{\"parameters\":{}}"), .status = 200 },
	{ "OIP unload", trained, ASK("POST", OIP_REPOSITORY "/unload", NULL, "{}"), .status = 200, .once = true },
	{ "OIP load with a configuration", trained,
	    ASK("POST", OIP_REPOSITORY "/load", NULL, "{\"parameters\":{\"config\":\"{}\"}}"), .status = 400 },

	{ "infer, by what serves", versioned,
	    ASK("POST", LAYER "/infer", NULL, JSON_DATA), .status = 200, .versions = true },
	{ "infer, by what serves, cold", versioned,
	    ASK("POST", LAYER "/infer", NULL, JSON_DATA), .status = 200, .cold = true, .versions = true },
	{ "infer, by a version, cold", versioned,
	    ASK("POST", LAYER "/infer?version=@", NULL, JSON_DATA), .status = 200, .cold = true, .versions = true },
	{ "serve", versioned,
	    ASK("PUT", MODEL "/serving", NULL, "{\"version\":@,\"note\":\"n\"}"), .status = 200, .once = true,
	    .versions = true },
	{ "serve what served before", versioned,
	    ASK("PUT", MODEL "/serving", NULL, "{\"version\":\"previous\"}"), .status = 200, .versions = true },
	{ "get serving, cold", versioned,
	    ASK("GET", MODEL "/serving", NULL, NULL), .status = 200, .cold = true, .versions = true },
	{ "serving history", versioned,
	    ASK("GET", MODEL "/serving/history", NULL, NULL), .status = 200, .versions = true },
	{ "put alias", versioned,
	    ASK("PUT", MODEL "/aliases/champion", NULL, "{\"version\":@}"), .status = 200, .once = true,
	    .versions = true },
	{ "put alias, a new one", versioned,
	    ASK("PUT", MODEL "/aliases/other", NULL, "{\"version\":@}"), .status = 201, .versions = true },
	{ "delete alias", versioned,
	    ASK("DELETE", MODEL "/aliases/champion", NULL, NULL), .status = 204, .versions = true },
	{ "list aliases", versioned, ASK("GET", MODEL "/aliases", NULL, NULL), .status = 200, .versions = true },

	{ "no JSON", trained, ASK("POST", LAYER "/train", NULL, "{\"data\":[[1,2],[3,4}"), .status = 400 },
	{ "no tensor", trained, ASK("POST", LAYER "/train", NULL, "{\"data\":[[1,2],[3]]}"), .status = 400 },
	{ "no .npy", trained, ASK("POST", LAYER "/train", NPY_TYPE, "no .npy"), .status = 400 },
	{ "no gzip", trained, ASK("POST", LAYER "/train", "Content-Encoding: gzip\r\n", "no gzip"), .status = 400 },
	{ "no definition", nothing,
	    CREATE("{\"kind\":\"batch_norm\",\"averaging\":\"best\"}"), .status = 400 },
	{ "no such parameter", trained, ASK("POST", LAYER "/train?x=1", NULL, JSON_DATA), .status = 400 },
	{ "no such route", nothing, ASK("GET", "/v1/nothing", NULL, NULL), .status = 404 },
	{ "no such model", nothing, ASK("POST", LAYER "/train", NULL, JSON_DATA), .status = 404 },
	{ "no such layer", trained, ASK("DELETE", MODEL "/layers/x", NULL, NULL), .status = 404 },
	{ "no such method", trained, ASK("PATCH", LAYER, NULL, NULL), .status = 405 },
	{ "no such form of answer", trained,
	    ASK("POST", LAYER "/train", "Accept: text/html\r\n", JSON_DATA), .status = 406 },
	{ "not trained", untrained, ASK("POST", LAYER "/infer", NULL, JSON_DATA), .status = 409 },
	{ "other features", trained, ASK("POST", LAYER "/train", NULL, "{\"data\":[[1],[2]]}"), .status = 422 },
	{ "too large", trained,
	    ASK("POST", LAYER "/train", "Expect: 100-continue\r\nContent-Length: 999999999\r\n", NULL), .status = 413 },
	{ "no such form of body", trained,
	    ASK("POST", LAYER "/train", "Content-Type: text/html\r\n", JSON_DATA), .status = 415 },
	{ "hostile framing", trained, ASK("GET", LAYER, "Host: 127.0.0.1\r\n", NULL), .status = 400 },
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

/* A safetensors file with two values for each tensor: of the layer, of a new one, and of neither. */
static struct bytes
make_state(void)
{
	static const char *const names[] = { "l.running_mean", "l.running_var", "l.weight", "l.bias",
		"new.running_mean", "new.running_var", "x.weight" };
	const size_t count = sizeof(names) / sizeof(names[0]);
	const float values[] = { 1.5f, 2 };
	struct bytes b = room(count * 100 + 16);

	b.len = 8;
	for (size_t i = 0; i < count; i++)
		b.len += (size_t)sprintf(b.bytes + b.len,
		    "%c\"%s\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[%zu,%zu]}", i == 0 ? '{' : ',',
		    names[i], i * sizeof(values), (i + 1) * sizeof(values));
	add_text(&b, "}");
	bytes_put_le64((unsigned char *)b.bytes, b.len - 8);
	for (size_t i = 0; i < count; i++) {
		memcpy(b.bytes + b.len, values, sizeof(values));
		b.len += sizeof(values);
	}
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
	made[BODY_STATE] = make_state();
	made[BODY_STATE_GZIP] = make_gzip(made[BODY_STATE].bytes, made[BODY_STATE].len);
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
