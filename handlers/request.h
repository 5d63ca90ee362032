/* SPDX-License-Identifier: MIT */
/*
 * A request as handlers see it: no sockets, no SQL. The server fills in the head, feeds the body, and drives the steps.
 * request_step returns
 *
 *     REQUEST_STORE  submit `op`, call request_meanwhile, step again when the operation is done
 *     REQUEST_SYNC   call request_join, step again when the request is resumed, or at once where it does not wait
 *     REQUEST_LONG   nothing was done: step again on a thread that may take its time
 *     REQUEST_DONE   `reply` is the answer, or `err` says why there is none
 *
 * A request belongs to one thread at a time; while its operation is in the store, the store's thread owns `op` and
 * `write`.
 */
#pragma once

#include <sys/types.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/workspace.h"
#include "codec/body.h"
#include "codec/safetensors_body.h"
#include "handlers/caller.h"
#include "handlers/claims.h"
#include "handlers/usage.h"
#include "handlers/web.h"
#include "sync/sync.h"
#include "storage/store.h"

#define REQUEST_QUERY_MAX 16

struct route;

struct query_item {
	const char *name;
	const char *value; /* "" if there is no "=" */
};

/*
 * An answer's bytes, read as the client takes them. They are the request's: nothing frees them before request_fini. If
 * the reply has an ETag, a client that has them already gets none. `read` gives up to `room` bytes from `offset` on, at
 * least one, or -1; it must not wait.
 */
struct reply_source {
	ssize_t (*read)(const void *arg, uint64_t offset, char *out, size_t room);
	const void *arg;
	uint64_t bytes;
	bool has_ranges;                     /* the client may ask for a part of them */
	bool from_arena;                     /* `arg` lies in the request's arena */
	enum coding coding;                  /* that the bytes have */
	const char *media_type;              /* NULL: the route's */
	char file_name[STORE_NAME_MAX + 32]; /* what the client may call them; "": nothing */
};

/* Room for an entity tag: a digest, a version and a datatype, in quotes. */
#define REPLY_ETAG_BYTES 112

/* The values of a tensor, which must live as long as the reply, in an answer. */
struct reply_part {
	const struct tensor *tensor;
	size_t text_end; /* how much of the reply's text comes before them */
	bool as_text;    /* as the reply's form writes numbers; else as they lie in memory */
};

/* Answers with more parts get an array of their own (reply_expect_parts). */
#define REPLY_FEW_PARTS 3

/*
 * An answer has one of four shapes. Tensors: `text` is cut into the pieces before, between and behind them, and the
 * tail follows; what the form has no place for is in the fields that become headers. A document: text and tail alone.
 * A document that is part of the program: `constant`. A byte stream: `source`.
 *
 * If something is stored, everything that takes memory is made by `start`, and there is room for the tail. A stored
 * change can only be answered with success.
 *
 * A reply belongs to the thread that has the request.
 */
struct reply {
	unsigned status;   /* 200 unless a handler says otherwise; 204 has no body */
	enum form form;    /* that the client takes, FORM_OIP of a BODY_OIP, else FORM_JSON. The server's to set */
	bool has_location; /* the request's own path, with location_number behind it unless that is 0 */
	bool has_count, has_seed, has_revision;
	bool has_version, has_age;
	struct buf text;
	struct reply_part *parts; /* `few`, or the request's */
	size_t part_count, parts_max;
	struct reply_part few[REPLY_FEW_PARTS];
	struct buf tail;
	const char *constant; /* or NULL */
	size_t constant_bytes;
	struct reply_source source;   /* with `read` NULL: none */
	uint64_t num_batches_tracked; /* Normd-Num-Batches-Tracked */
	uint64_t seed;                /* Normd-Seed */
	uint64_t revision;            /* ETag and Normd-Revision */
	uint64_t version;             /* Normd-Version; 0: live */
	uint64_t age_s;               /* Age: since the state was last compared with a database that is away */
	uint64_t location_number;
	size_t oip_header_bytes;     /* Inference-Header-Content-Length: the JSON before the tensors' bytes; 0: none */
	char etag[REPLY_ETAG_BYTES]; /* ETag, with its quotes, where it is not the revision; "": none */
};

/* Whether memory for it ran out. */
bool reply_failed(const struct reply *reply);

enum request_phase { PHASE_LOAD, PHASE_LOADED, PHASE_START, PHASE_JOINED, PHASE_FINISH };

struct request {
	/* Filled by the server. */
	const struct route *route;
	struct store *store;
	struct claims *claims;
	struct sync *sync;
	struct usage *usage;
	const struct caller *caller; /* caller_nobody at first; it outlives the request's steps */
	const char *model;           /* NULL where the path has none */
	const char *layer;
	const char *source;
	const char *version; /* a version's number or an alias */
	const char *alias;
	const char *web_folder, *web_file;
	const struct web *web;  /* NULL: there are no pages */
	enum web_wish web_wish; /* as which the client takes a file of them: WEB_UNWANTED where it takes JSON */
	struct query_item query[REQUEST_QUERY_MAX];
	const char *if_match;  /* the header, or NULL */
	uint64_t min_revision; /* Normd-Min-Revision: the live state must not be older; 0: any */
	size_t body_max_bytes;
	uint64_t file_max_bytes;  /* of a body that is a file, of which body_max_bytes at most are kept */
	uint64_t announced_bytes; /* by Content-Length; 0: unknown */
	size_t oip_header_bytes;  /* of a BODY_OIP: the JSON before the tensors' bytes; 0: all of it is JSON */
	unsigned query_count;
	bool leaving;       /* the daemon is about to stop: it serves, but is not ready */
	enum form form;     /* of the body */
	enum coding coding; /* of the body */

	/* The body: the server feeds it. NULL where there is none. */
	struct body *body;
	struct safetensors_body *file;          /* in its place, where the body is a file */
	struct json_slot slots[JSON_SLOTS_MAX]; /* the body's tensors */
	size_t admitted_bytes; /* memory.bytes when it was admitted: what the body and the handlers take is above it */
	struct digest *digest; /* of the body without its coding, where there is an Idempotency-Key; else NULL */
	struct claim claim;    /* of that key */

	/* The handlers' own. */
	struct workspace workspace; /* all its memory; the server fills in the crew */
	enum request_phase phase;
	bool wants_store;
	bool is_long;                        /* a step of it was: its memory is large too */
	const struct snapshot *state;        /* the layer's that the route and `version` ask for */
	size_t state_bytes;                  /* of `memory`, where it was loaded */
	const struct definition *definition; /* state's */
	struct store_op op;
	struct store_write write;    /* of op.change */
	struct sync_call *sync_call; /* of a synchronized step, else NULL */
	struct sync_member member;   /* in it */
	void *scratch;               /* of a handler between its steps, from the arena */
	struct err err;
	struct reply reply;
};

enum request_next { REQUEST_DONE, REQUEST_STORE, REQUEST_SYNC, REQUEST_LONG };

/* Makes an empty request. The server then fills in its part. */
void request_init(struct request *rq, struct store *store, struct claims *claims, struct sync *sync,
    struct budget *memory, size_t body_max_bytes);
void request_fini(struct request *rq);

/*
 * Feeds `len` bytes of the body. *taken is how many were taken: at least one where there are any, and fewer than `len`
 * when they decompress to so much that the rest should wait. -1 with rq->err, and then the body is gone. A body that
 * the route does not take is bad_parameter.
 *
 * With rq->wants_store the body waits for the store: submit `op`, call request_body_known when the operation is done,
 * and feed the rest when that does not want the store again.
 */
int request_body(struct request *rq, const char *bytes, size_t len, size_t *taken) MUST_CHECK;
int request_body_known(struct request *rq) MUST_CHECK;

/* Whether the next piece of the body, of `len` bytes, takes long. */
bool request_body_is_long(const struct request *rq, size_t len);

/* The body has ended: checks its end, and that there is one where the route needs it. -1 with rq->err. */
int request_body_end(struct request *rq) MUST_CHECK;

/*
 * Releases the pin that a STORE_PIN has set in rq->write, if there is one. A request that has ended, however it ended,
 * has released it.
 */
void request_unpin(struct request *rq);

/* Whether the request's change is stored. Then the answer must be success, or there is none. */
bool request_stored(const struct request *rq);

/*
 * Takes the next step. A request with rq->err set is done. Call it before the answer is sent, because it also frees the
 * idempotency key. `apart`: the calling thread may take its time; otherwise a long step gives REQUEST_LONG.
 */
enum request_next request_step(struct request *rq, bool apart);
void request_meanwhile(struct request *rq);

/*
 * Whether the next step, or freeing the request's memory, takes long. This is the one place that decides
 * (request_long.c): by the body, by the layer's features (also if an update has fixed them meanwhile), and by what the
 * answer lists.
 */
bool request_is_long(const struct request *rq);

/* Joins the synchronized step. True: the request waits for `resume`, which may come before this returns. */
bool request_join(struct request *rq, void (*resume)(void *arg), void *arg) MUST_CHECK;

/* Asks for the store, with an operation of this kind: rq->op. */
void request_store(struct request *rq, enum store_op_kind kind);

/* Releases what the operation that has ended holds, so that rq->op can be used again. */
void request_store_done(struct request *rq);

/* Asks the store for a change of one write, rq->write, to the path's model and layer. */
void request_write(struct request *rq, enum store_write_kind kind);
