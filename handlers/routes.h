/* SPDX-License-Identifier: MIT */
/* The table of routes, and how a path finds its row. */
#ifndef HANDLERS_ROUTES_H
#define HANDLERS_ROUTES_H

#include "handlers/input.h"

/* What a method on a path means. */
struct route {
	const char *method;                /* HEAD goes where GET goes */
	const char *path;                  /* a placeholder (placeholders.h) stands for one segment */
	const struct input *const *inputs; /* what it takes (input.h), NULL-terminated; NULL: nothing */
	enum { BODY_NONE, BODY_NEEDED } body;
	/* How many tensors its body and its answer may be, in a form that holds only tensors; 0: none. */
	unsigned tensors_in, tensors_out;
	bool any_query;     /* its query is passed over */
	bool probe;         /* it is answered even where there are too many connections */
	bool needs_layer;   /* the layer's state is there before `start` */
	bool takes_key;     /* an Idempotency-Key guards what it changes */
	bool stores_values; /* numbers of its body: the store makes copies of them, for which there must be memory */
	const char *stream_type; /* of an answer that is a byte stream (reply.source), never coded; NULL: it is none */

	/* Decides: fills the reply, or the operation (then sets rq->wants_store). -1 with `e`. */
	int (*start)(struct request *rq, struct err *e);
	/* After a synchronized step has come together, where `start` has set rq->sync_call; decides as `start` does. */
	int (*joined)(struct request *rq, struct err *e);
	/* Computes while the operation is in the store; NULL: nothing. Must not touch rq->op. */
	void (*meanwhile)(struct request *rq);
	/* Fills the reply once the operation has succeeded; NULL where `start` never asks the store. */
	int (*finish)(struct request *rq, struct err *e);
	/*
	 * How many numbers the answer lists, or what takes as long to write as so many; NULL: no more than the layer
	 * has features.
	 */
	size_t (*answer_values)(const struct request *rq);
};

/*
 * Finds what `method` on `path` means. `path` is made of `count` segments, already percent-decoded.
 * Sets rq->route, rq->model and rq->layer. Errors: no_such_route, method_not_allowed (then `allow` holds the methods
 * that there are, for the Allow header), bad_name. OPTIONS is found on every route, and `allow` is filled.
 */
int routes_find(struct request *rq, const char *method, const char *const *segments, size_t count, struct buf *allow,
    struct err *e) MUST_CHECK;

/* The same of the target "*", which stands for the whole server: OPTIONS alone, else bad_parameter. */
int routes_find_any(struct request *rq, const char *method, struct buf *allow, struct err *e) MUST_CHECK;

/* All methods that any route has. */
#define ROUTES_METHODS "GET, HEAD, POST, PUT, DELETE, OPTIONS"

/* The rows, for those who go through them all. */
extern const struct route routes[];
extern const size_t routes_count;

#endif
