/* SPDX-License-Identifier: MIT */
/* The table of routes, and how a path finds its row. */
#pragma once

#include "base/suggest.h"
#include "handlers/caller.h"
#include "handlers/input.h"

/* A method on a path. Rows are written with ROUTE, which does not compile without the access column. */
struct route {
	enum access access; /* who may call it; first, so that a row without names does not compile */
	enum {
		BODY_NONE,
		BODY_INPUTS,     /* its members are inputs, which is checked before `start` */
		BODY_DEFINITION, /* the fields of a definition are members too; `start` checks the members */
		BODY_OIP,        /* a call of the Open Inference Protocol: tensors in a list of inputs */
		BODY_FILE        /* a safetensors file */
	} body;
	const char *method;                /* a GET serves HEAD too */
	const char *path;                  /* a placeholder (placeholders.h) stands for one segment */
	const struct input *const *inputs; /* what it takes (input.h), NULL-terminated; NULL: nothing */
	/* How many tensors its body and its answer may be, in a form that holds only tensors; 0: none. */
	unsigned tensors_in, tensors_out;
	enum web_route web;      /* whether it answers a file of the pages, in the type that the file has */
	bool body_optional;      /* no bytes are a body that says nothing */
	bool any_query;          /* its query is not read, whatever it is */
	bool bytes_are_json;     /* its body may be called application/octet-stream too, as some clients do */
	bool no_state;           /* its answer is the same for everybody until normd is replaced: caches may keep it */
	bool may_be_open;        /* the operator may let everybody call it (--open-metrics) */
	bool probe;              /* it is answered even if there are too many connections */
	bool needs_layer;        /* the layer's state is loaded before `start` */
	bool reads_serving;      /* ... which is the one that serves, unless the query has a `version`; else live */
	bool takes_key;          /* an Idempotency-Key guards what it changes */
	bool stores_values;      /* it stores numbers: the copies that the store makes are counted */
	const char *stream_type; /* media type of an answer that is a byte stream (reply.source); NULL: it is not one */
	const char *text_type;   /* media type of an answer that is reply.text as it is; NULL: it has a form */

	/*
	 * Of a BODY_FILE: its header is known. Says which tensors to keep. It may ask the store before, by
	 * request_store, and is then called again. -1 with `e`.
	 */
	int (*header_known)(struct request *rq, struct err *e);
	/* Decides: fills the reply, or the operation by request_store or request_write. -1 with `e`. */
	int (*start)(struct request *rq, struct err *e);
	/* Called when a synchronized step is complete, if `start` has set rq->sync_call. Decides like `start`. */
	int (*joined)(struct request *rq, struct err *e);
	/* Computes while the operation is in the store; NULL: nothing. Must not touch rq->op and rq->write. */
	void (*meanwhile)(struct request *rq);
	/*
	 * Fills the reply after the operation has succeeded; NULL if `start` never asks the store. It may ask the store
	 * again, after store_op_fini of the operation that has ended, and is then called again.
	 */
	int (*finish)(struct request *rq, struct err *e);
	/* How long the answer takes to write, as a number of numbers; NULL: at most the layer's number of features. */
	size_t (*answer_values)(const struct request *rq);
	/* Releases what handlers hold beside the arena, before that is freed. May be called again. NULL: nothing. */
	void (*end)(struct request *rq);
};

/* A row: method, path, access (OPEN, INFER, TRAIN, ADMIN or SERVER), and the other columns by their names. */
#define ROUTE(route_method, route_path, route_access, ...) \
	{ \
		.access = ACCESS_##route_access, .method = (route_method), .path = (route_path), __VA_ARGS__ \
	}

/*
 * Finds the route of `method` on the path of `count` segments, which are percent-decoded. Sets rq->route and the
 * members of the path's placeholders. Every path has OPTIONS. Errors: no_such_route, method_not_allowed, bad_name.
 * `allow` holds the methods of the path, for the Allow header, after OPTIONS and after method_not_allowed.
 */
int routes_find(struct request *rq, const char *method, const char *const *segments, size_t count, struct buf *allow,
    struct err *e) MUST_CHECK;

/* The same for the target "*", which means the whole server. It has OPTIONS alone; else bad_parameter. */
int routes_find_any(struct request *rq, const char *method, struct buf *allow, struct err *e) MUST_CHECK;

/*
 * routes_near.c: compares the `count` segments with the paths that differ from them in one word alone. Returns `out`:
 * the end of a message with the nearest word, `; did you mean "train"?`, or "" if no word is near.
 */
const char *routes_near(const char *const *segments, size_t count, char out[SUGGEST_BYTES]);

/* The methods of all routes. */
#define ROUTES_METHODS "GET, HEAD, POST, PUT, DELETE, OPTIONS"

/* The table. */
extern const struct route routes[];
extern const size_t routes_count;

/*
 * route_series.c: the series of a request's metrics (base/metrics.h) by its route (NULL: none was found) and method,
 * and the texts of all of them. Call routes_name_series once, at the start.
 */
size_t routes_series(const struct route *route, const char *method);
void routes_name_series(void);
