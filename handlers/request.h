/* SPDX-License-Identifier: MIT */
/*
 * A request as handlers see it: no sockets, no SQL. The server fills in who asks what, feeds the body, and drives the
 * steps:
 *
 *   request_step -> REQUEST_STORE: `op` is to be submitted; meanwhile call request_meanwhile; step again when it is
 *                   done REQUEST_SYNC:  request_join; step again when it is resumed, or at once where it does not wait
 *                   REQUEST_LONG:  nothing was done; step again, apart REQUEST_DONE:  `reply` is the answer, or `err`
 *                   says why there is none
 *
 * A request belongs to one thread at a time; while its operation is in the store, the store's thread owns `op` alone.
 */
#ifndef HANDLERS_REQUEST_H
#define HANDLERS_REQUEST_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/workspace.h"
#include "codec/body.h"
#include "handlers/claims.h"
#include "sync/sync.h"
#include "storage/store.h"

#define REQUEST_QUERY_MAX 16

struct request;

struct query_item {
	const char *name;
	const char *value; /* "" when there was no "=" */
};

/* What a method on a path means. The table is in routes.c. */
struct route {
	const char *method;            /* HEAD goes where GET goes */
	const char *path;              /* a placeholder (placeholders.h) stands for one segment */
	const char *const *query;      /* the names of its query parameters, NULL-terminated; NULL: none */
	const struct json_slot *slots; /* where tensors stand in its body */
	size_t slot_count;
	enum { BODY_NONE, BODY_NEEDED } body;
	unsigned
	    npy_files;    /* its body may be so many .npy files, one after another, and its answer too; 0: it may not */
	bool any_query;   /* its query is passed over */
	bool probe;       /* it is answered even where there are too many connections */
	bool needs_layer; /* the layer's state is there before `start` */
	bool takes_key;   /* an Idempotency-Key guards what it changes */
	const char
	    *media_type; /* of its answer, where that is a file (reply.file); NULL: it has one of the forms of bodies */

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
 * An answer. In JSON it is a head, perhaps a tensor's data, and a tail. In another form it is the tensor alone, the
 * head being that form's, and what the tail says beside it is in the fields that become headers. The tensor is the
 * request's.
 *
 * Where something is stored, all that takes memory is made by `start`: for the tail there is room then. What is stored
 * can be answered with success only.
 */
struct reply {
	unsigned status;   /* 200 unless a handler says otherwise; 204 has no body */
	bool has_location; /* the request's own path */
	bool has_count, has_seed, has_revision;
	struct buf head;
	const struct tensor *tensor;
	struct buf tail;
	struct buf files;              /* in another form than JSON: further tensors, after the first */
	uint64_t num_batches_tracked;  /* Normd-Num-Batches-Tracked */
	uint64_t seed;                 /* Normd-Seed */
	uint64_t revision;             /* ETag and Normd-Revision */
	const struct store_copy *file; /* the operation's; the answer is its bytes, and nothing else */
	char file_name[64];            /* what the client may call it */
};

/* Whether there was no memory for it. */
bool reply_failed(const struct reply *reply);

enum request_phase { PHASE_LOAD, PHASE_LOADED, PHASE_START, PHASE_JOINED, PHASE_FINISH };

struct request {
	/* Filled by the server. */
	const struct route *route;
	struct store *store;
	struct claims *claims;
	struct sync *sync;
	const char *model; /* NULL where the path has none */
	const char *layer;
	struct query_item query[REQUEST_QUERY_MAX];
	const char *if_match; /* the header, or NULL */
	size_t body_max_bytes;
	unsigned query_count;
	bool draining;         /* the server is about to stop */
	enum form form;        /* of the body */
	enum coding coding;    /* of the body */
	enum form answer_form; /* that the client takes; FORM_JSON where the route has no other */

	/* The body: the server feeds it. NULL where there is none. */
	struct body *body;
	size_t body_from;      /* memory.bytes before it came; what it takes is counted there */
	struct digest *digest; /* of the body without its coding, where there is an Idempotency-Key; else NULL */
	struct claim claim;    /* of that key */

	/* The handlers' own. */
	struct workspace workspace; /* all its memory; the server fills in the crew */
	enum request_phase phase;
	bool wants_store;
	bool is_long;                        /* a step of it was: its memory is large too */
	bool sync_backward;                  /* the synchronized step is one of backward */
	const struct snapshot *state;        /* the layer's, where the route needs it */
	size_t state_bytes;                  /* of `memory`, where it was loaded */
	const struct definition *definition; /* state's */
	struct store_op op;
	const struct sync_call *sync_call; /* of a synchronized step, else NULL */
	struct sync_member member;         /* in it */
	void *scratch;                     /* of a handler between its steps, from the arena */
	struct err err;
	struct reply reply;
};

enum request_next { REQUEST_DONE, REQUEST_STORE, REQUEST_SYNC, REQUEST_LONG };

/* Makes an empty request. The server then fills in its part. */
void request_init(struct request *rq, struct store *store, struct claims *claims, struct sync *sync,
    struct budget *memory, size_t body_max_bytes);
void request_fini(struct request *rq);

/*
 * Asks for the memory that a request needs in any case, before its body comes: overloaded while the others have it.
 * `target_len`: the length of its target, which is kept twice. Bodies, answers, and whatever else is large then ask for
 * their own.
 */
int request_admit(struct request *rq, size_t target_len, struct err *e) MUST_CHECK;

/*
 * Feeds the body; *taken is how many bytes were, at least one where there are any, and fewer than `len` when they come
 * to so much without their coding that it takes a while. -1 with rq->err, and then the body is gone. For a body that
 * the route does not take: bad_parameter.
 */
int request_body(struct request *rq, const char *bytes, size_t len, size_t *taken) MUST_CHECK;

/* Whether the request's change is stored. Then no error may be answered any more: success, or nothing. */
bool request_stored(const struct request *rq);

/*
 * Steps; a request whose err is set already is done. When it is done its key is free again: call it before the answer
 * is sent. `apart`: the caller's thread holds up nobody, however long it takes; without it a step that takes long is
 * REQUEST_LONG.
 */
enum request_next request_step(struct request *rq, bool apart);
void request_meanwhile(struct request *rq);

/* Joins the step. Returns whether the request waits now: then `resume` is called, perhaps before this returns. */
bool request_join(struct request *rq, void (*resume)(void *arg), void *arg) MUST_CHECK;

/* Whether its next step, or giving back its memory, takes long: it has many values. */
bool request_is_long(const struct request *rq);

/* The query parameter's value, or NULL. */
const char *request_query(const struct request *rq, const char *name);

/*
 * "true", "1", "false" or "0", in any case of letters (Python writes True); -1 when the `len` bytes are none of them.
 */
int request_parse_bool(const char *text, size_t len, bool *out) MUST_CHECK;

/* The query parameter as true or false, where "" is true; `fallback` when it is not there. */
int request_query_bool(const struct request *rq, const char *name, bool fallback, bool *out, struct err *e) MUST_CHECK;

/* A whole number from 0 to 2^64 - 1 in decimal digits alone; -1 when the text is none. */
int request_parse_uint(const char *text, uint64_t *out) MUST_CHECK;

/* If-Match into op.precondition. */
int request_precondition(struct request *rq, struct err *e) MUST_CHECK;

/* Names the operation's kind and the path's model and layer in rq->op and asks for the store. */
void request_store(struct request *rq, enum store_op_kind kind);

/*
 * The body's root where it is an object with no members but `allowed` (NULL-terminated); else bad_parameter. A body
 * that is a tensor alone has no members: then *out is NULL.
 */
int request_object(
    const struct request *rq, const char *const *allowed, const struct cJSON **out, struct err *e) MUST_CHECK;

/*
 * Gives the body's JSON tensors that name no datatype the definition's. Where the route needs the layer it was called
 * before `start`; another route that has tensors calls it once it knows the definition.
 */
int request_settle(struct request *rq, const struct definition *d, struct err *e) MUST_CHECK;

/* The tensor in a slot, or bad_tensor saying that `name` is missing. */
int
request_tensor(const struct request *rq, size_t slot, const char *name, struct tensor **out, struct err *e) MUST_CHECK;

/* Whether a tensor of this datatype can be answered in the form that the client takes; else not_acceptable. */
int request_check_answer(const struct request *rq, const struct tensor *t, struct err *e) MUST_CHECK;

#endif
