/* SPDX-License-Identifier: MIT */
/*
 * The one error type. It is filled where a failure is found, passed up unchanged, and turned into an answer
 * (application/problem+json) and a log line in one place, the server. A zeroed struct err is "no error".
 *
 * Rules for all functions of this program. A header speaks only of what differs.
 *
 *   - Arguments come in this order: the object, inputs, outputs, `struct err *e`.
 *   - A function that can fail returns 0, or -1; one that returns a pointer, NULL on failure. It fills `e` if it has
 *     one; without, the header says why it fails, or memory is missing. After a failure outputs are undefined.
 *   - Pointers are not NULL, but for arguments of ..._free, which may be. A zeroed struct may be passed to ..._fini.
 *   - Any thread may call, on an object that no other thread uses at that time.
 *   - What a function is given it neither keeps nor frees.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* To add an error, add a row: X(name, code, status, title). */
#define ERR_TABLE(X) \
	X(BAD_JSON, "bad_json", 400, "The body is not valid JSON") \
	X(BAD_TENSOR, "bad_tensor", 400, "The tensor is not valid") \
	X(BAD_NPY, "bad_npy", 400, "The .npy file is not valid") \
	X(BAD_SAFETENSORS, "bad_safetensors", 400, "The safetensors file is not valid") \
	X(BAD_PARAMETER, "bad_parameter", 400, "A parameter is not valid") \
	X(BAD_NAME, "bad_name", 400, "The name is not valid") \
	X(UNAUTHENTICATED, "unauthenticated", 401, "The request has no token that the server knows") \
	X(FORBIDDEN, "forbidden", 403, "The request is not allowed") \
	X(NO_SUCH_ROUTE, "no_such_route", 404, "There is no such route") \
	X(NO_SUCH_MODEL, "no_such_model", 404, "There is no such model") \
	X(NO_SUCH_LAYER, "no_such_layer", 404, "There is no such layer") \
	X(NO_SUCH_SOURCE, "no_such_source", 404, "There is no such source") \
	X(NO_SUCH_VERSION, "no_such_version", 404, "There is no such version") \
	X(NO_SUCH_ALIAS, "no_such_alias", 404, "There is no such alias") \
	X(METHOD_NOT_ALLOWED, "method_not_allowed", 405, "The route does not have this method") \
	X(NOT_ACCEPTABLE, "not_acceptable", 406, "No acceptable form of answer") \
	X(LAYER_DIFFERS, "layer_differs", 409, "The layer exists with another definition") \
	X(IDEMPOTENCY_IN_FLIGHT, "idempotency_in_flight", 409, "The first request with this key is still running") \
	X(NOT_TRAINED, "not_trained", 409, "The layer has no statistics yet") \
	X(SYNC_INCOMPLETE, "sync_incomplete", 409, "The synchronized step is incomplete") \
	X(FROZEN, "frozen", 409, "The layer is frozen") \
	X(SOURCE_WENT_BACK, "source_went_back", 409, "The source has fewer values than before") \
	X(TOO_MANY_SOURCES, "too_many_sources", 409, "The layer has too many sources") \
	X(VERSION_IN_USE, "version_in_use", 409, "The version is in use") \
	X(REVISION_MISMATCH, "revision_mismatch", 412, "The layer has another revision") \
	X(STATE_MISMATCH, "state_mismatch", 412, "The state is not the expected one") \
	X(BODY_TOO_LARGE, "body_too_large", 413, "The body is too large") \
	X(TARGET_TOO_LONG, "target_too_long", 414, "The request's target is too long") \
	X(UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", 415, "The body's type is not supported") \
	X(RANGE_NOT_SATISFIABLE, "range_not_satisfiable", 416, "The range is beyond the end") \
	X(SHAPE_MISMATCH, "shape_mismatch", 422, "The shape does not fit the layer") \
	X(TOO_FEW_VALUES, "too_few_values", 422, "Too few values per channel") \
	X(IDEMPOTENCY_MISMATCH, "idempotency_mismatch", 422, "The key was used with another body") \
	X(NON_FINITE_INPUT, "non_finite_input", 422, "A value is not finite") \
	X(TOO_MANY_REQUESTS, "too_many_requests", 429, "The client asks too much") \
	X(HEAD_TOO_LARGE, "head_too_large", 431, "The request's head is too large") \
	X(NOT_IMPLEMENTED, "not_implemented", 501, "The store cannot do this") \
	X(OVERLOADED, "overloaded", 503, "The server is overloaded") \
	X(STORAGE_UNAVAILABLE, "storage_unavailable", 503, "The storage is not available") \
	X(SHUTTING_DOWN, "shutting_down", 503, "The server is shutting down") \
	X(HTTP_VERSION, "http_version_not_supported", 505, "The version of HTTP is not supported") \
	X(STORAGE_FULL, "storage_full", 507, "The storage is full")

enum err_code {
	ERR_NONE,
#define ERR_ENUM(name, code, status, title) ERR_##name,
	ERR_TABLE(ERR_ENUM)
#undef ERR_ENUM
	    ERR_COUNT
};

struct err {
	enum err_code code;
	bool has_offset;
	uint64_t offset;        /* of the byte of the body that is wrong, if has_offset */
	unsigned retry_after_s; /* 0: no Retry-After */
	unsigned shed;          /* err_set_shed's reason, and 1; 0: it was refused for another one */
	char detail[400];       /* for a person: what is wrong with this request */
	char expected[160];     /* "" where that would not help */
	char actual[160];
};

/* Fills all of `e`. */
void err_set(struct err *e, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* The same with the wrong byte's offset; " (at byte N)" is appended to the detail. */
void err_set_at(struct err *e, enum err_code code, uint64_t offset, const char *format, ...) PRINTF_LIKE(4, 5);

/* Puts a text before the detail, whose end is cut off where both do not fit. */
void err_prepend(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * The request is refused because there is too much of something: `reason`, which is a METRIC_SHED_... (base/metrics.h)
 * and counted when the request ends. The client may come again, after a second unless `e` says otherwise.
 */
void err_set_shed(struct err *e, unsigned reason);

/* The system has no memory for this request: `overloaded`, with Retry-After. */
void err_set_memory(struct err *e);

/* Other requests use all the memory that there is for requests (--max-memory): `overloaded`, with Retry-After. */
void err_set_budget(struct err *e);

/* The server takes no new requests: `shutting_down`. */
void err_set_shutting_down(struct err *e);

/*
 * The same with the value -1: `return err_fail(e, ...)`. These are macros so that compilers and analyzers see the -1
 * and do not warn of outputs that are undefined after a failure.
 */
#define err_fail(...) (err_set(__VA_ARGS__), -1)
#define err_fail_at(...) (err_set_at(__VA_ARGS__), -1)
#define err_fail_memory(e) (err_set_memory(e), -1)
#define err_fail_budget(e) (err_set_budget(e), -1)
#define err_fail_shutting_down(e) (err_set_shutting_down(e), -1)

/* What a noun ends with after this number in a message: "1 value", "2 values". */
static inline const char *
err_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

struct err_row {
	const char *code;
	unsigned status;
	const char *title;
};

/* The row of an error, which must not be ERR_NONE. */
const struct err_row *err_row(enum err_code code);
