/* SPDX-License-Identifier: MIT */
/*
 * The store: the state of models and layers and its durability. The only door to this room.
 *
 * Asynchronous: fill a struct store_op, store_submit it, get called back on the store's own thread when the result is
 * there, which for anything that writes means: when it is durable. What committed state the cache holds is also had at
 * once, with store_layer_cached. Reads see committed state only, so nothing read can be taken back by a crash.
 *
 * Writes wait in a bounded queue. One thread takes all that waits, applies each in order to copies in memory, and
 * commits them in one transaction; while that runs, the next batch gathers. An operation that is refused fails alone;
 * when the transaction fails, all of its operations fail and nothing has changed.
 *
 * Thread-safe throughout, but for store_open, store_stop and store_close.
 */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/digest.h"
#include "base/err.h"
#include "norm/update.h"

struct store;

/* The most bytes of a model's or layer's name, without the NUL. */
#define STORE_NAME_MAX 128

/*
 * What the store's user makes of a definition, which for the store is a text. `parse` gives an immutable value of its
 * own, or NULL with `e`; `free` is called for it when no layer refers to it any more, on any thread.
 */
struct store_definition_ops {
	const void *(*parse)(const char *text, struct err *e);
	void (*free)(const void *parsed);
};

/* How long an update's key is remembered, and how many are. */
#define STORE_KEY_LIFETIME_S 86400u
#define STORE_KEYS_MAX ((uint64_t)16000000)

/*
 * How many times at most a list of doubles that a write brings is in memory until it is committed: the caller's; the
 * batch's, or what an update makes of it; the next snapshot's; what the database is given, and the row that it makes of
 * that.
 */
#define STORE_DOUBLES_COPIES ((size_t)5)

/* A list of doubles. `values` is NULL for "the default" (weight 1, bias 0), whatever the count. */
struct store_vector {
	const double *values;
	size_t count;
};

/* What never changes of a layer. */
struct layer_identity {
	int64_t id; /* no other layer ever has it, also not a later one of the same name */
	char model[STORE_NAME_MAX + 1];
	char name[STORE_NAME_MAX + 1];
	const char *definition; /* as it was given */
	const void *parsed;     /* what store_definition_ops.parse made of it */
};

/* A committed state of a layer, immutable; shared, and counted by snapshot_ref and snapshot_unref. */
struct snapshot {
	const struct layer_identity *identity;
	uint64_t revision;
	struct statistics statistics; /* features 0: not fixed yet; mean and var NULL: never trained, nothing put */
	struct store_vector weight;
	struct store_vector bias;
};

const struct snapshot *snapshot_ref(const struct snapshot *layer);
void snapshot_unref(const struct snapshot *layer); /* NULL is fine */

/*
 * A copy of all that the store holds, in a file that has no name: it is gone with the last reference. Immutable; shared
 * and counted, by store_copy_ref and store_copy_unref.
 */
struct store_copy {
	int descriptor; /* to be read by offset; not for the reader to close */
	uint64_t bytes;
};

const struct store_copy *store_copy_ref(const struct store_copy *copy);
void store_copy_unref(const struct store_copy *copy); /* NULL is fine; before store_close */

/* If-Match: without `present` everything goes. */
struct store_precondition {
	bool present;
	bool any; /* "*" */
	unsigned count;
	uint64_t revisions[8];
};

enum store_op_kind {
	STORE_LAYER_GET, /* -> layer */
	/* definition, features (0: open) -> created, layer (the one that stands, when not created) */
	STORE_LAYER_CREATE,
	STORE_LAYER_DELETE,     /* */
	STORE_LAYER_LIST,       /* after, limit -> page (with layers) */
	STORE_MODEL_LIST,       /* after, limit -> page */
	STORE_MODEL_DELETE,     /* model */
	STORE_UPDATE,           /* update, key -> num_batches_tracked; fixes the features that were open */
	STORE_STATISTICS_PUT,   /* statistics, precondition; fixes the features that were open */
	STORE_STATISTICS_RESET, /* precondition -> features */
	STORE_PARAMETERS_PUT,   /* weight, bias (NULL: default), features (0: none to fix), precondition */
	STORE_BACKUP, /* -> copy: of all that was committed at some moment after the operation was submitted */
	STORE_OP_COUNT
};

/* One entry of a page. */
struct store_entry {
	char name[STORE_NAME_MAX + 1];
	char *definition; /* of layers; else NULL */
	uint64_t revision;
	uint64_t features;
};

/*
 * An operation. The caller owns it and all that it points to, and leaves them alone from store_submit until `done`;
 * afterwards store_op_fini. Zero it first, then fill what the kind names above.
 */
struct store_op {
	/* What is asked. */
	enum store_op_kind kind;
	const char *model;
	const char *layer;
	int64_t
	    /* of writes: refuse (no_such_layer) when the name has come to mean another layer; 0: whichever it is */
	    layer_id;
	const char *definition;
	size_t features;
	const struct update *update;
	size_t update_count; /* updates at `update`, applied in order as one change; 0 stands for 1 */
	const char *key;     /* of an update: apply it once, however often it comes with this key; NULL: none */
	unsigned char key_digest[DIGEST_BYTES]; /* of what was asked under that key */
	const struct statistics *statistics;
	struct store_vector weight;
	struct store_vector bias;
	struct store_precondition precondition;
	struct budget_share *memory; /* of a read: where a layer that is loaded is counted; NULL: nowhere */
	const char *after;           /* list names above this one; NULL: from the first */
	size_t limit;

	/* Who is told, on the store's thread; must not block, and may free the operation. */
	void (*done)(struct store_op *op);
	void *done_arg;

	/* What came of it. */
	struct err err;                     /* err.code ERR_NONE: it succeeded */
	const struct snapshot *layer_state; /* a reference of the operation's own */
	bool created;
	uint64_t revision; /* of writes to a layer: the revision that this very operation made */
	uint64_t num_batches_tracked;
	bool repeated; /* an update whose key had been used: nothing was changed, the results are the first one's */
	uint64_t result_features;
	struct store_entry *entries;
	size_t entry_count;
	bool more;                     /* there are entries after the last */
	const struct store_copy *copy; /* a reference of the operation's own */

	/* The store's own. */
	struct store_op *next;
};

/* Releases what the results hold (not the operation itself). A zeroed operation is fine. */
void store_op_fini(struct store_op *op);

struct store_options {
	const char *url;         /* "sqlite:PATH" */
	size_t queue_max;        /* operations that may wait */
	unsigned key_lifetime_s; /* how long a key is remembered; 0: STORE_KEY_LIFETIME_S */
	uint64_t keys_max;       /* how many are; beyond it the oldest are forgotten first; 0: STORE_KEYS_MAX */
	size_t cache_bytes_max;  /* committed state kept in memory */
	struct store_definition_ops definitions;
};

/* Whether a URL can name a store that lasts; bad_parameter where not. Touches nothing. */
int store_check_url(const char *url, struct err *e) MUST_CHECK;

/*
 * Opens (creating it where it does not exist) and starts the store's thread. The options are copied. Returns NULL with
 * `e`, whose detail is for the operator: in use by another process, not a normd store, from a newer version, ...
 */
struct store *store_open(const struct store_options *options, struct err *e) MUST_CHECK;

/* Completes all that was submitted and stops the thread; store_submit then answers shutting_down. */
void store_stop(struct store *s);

/* Stops (where store_stop was not called) and closes. Nobody may use the store any more. NULL is fine. */
void store_close(struct store *s);

/*
 * Hands the operation over. Returns 0, or -1 with `e` when the queue is full (overloaded) or the store stops
 * (shutting_down): then `done` is not called.
 */
int store_submit(struct store *s, struct store_op *op, struct err *e) MUST_CHECK;

/* Whether an operation of this kind changes what is stored. */
bool store_op_writes(enum store_op_kind kind);

/*
 * The layer's committed state with a reference for the caller, or NULL when the cache does not hold it. Never blocks
 * for long.
 */
const struct snapshot *store_layer_cached(struct store *s, const char *model, const char *layer);

/* Whether the last transaction went well (true before the first). */
bool store_healthy(const struct store *s);

#endif
