/* SPDX-License-Identifier: MIT */
/*
 * The store: the state of models and layers and its durability. The only door to this room.
 *
 * Asynchronous: fill a struct store_op and submit it. The store calls back on its own thread when the result is there;
 * for a change this means that it is durable. Committed state in the cache can also be read at once, by
 * store_layer_cached. Reads see committed state only, so a crash takes back nothing that was read.
 *
 * Changes wait in a bounded queue. One thread takes all changes that wait, applies them in order to copies in memory
 * and commits them in one transaction; meanwhile the next batch gathers. A change that is refused fails alone. When a
 * transaction fails, all of its changes fail and nothing has changed.
 *
 * Thread-safe, except store_open, store_stop and store_close.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/sha256.h"
#include "norm/update.h"
#include "storage/store_versions.h"
#include "storage/store_windows.h"

struct store;
struct meeting;

/* The most bytes of a model's or layer's name, without the NUL. */
#define STORE_NAME_MAX 128

/*
 * How definitions, which are texts to the store, are parsed. `parse` returns an immutable value, or NULL with `e`.
 * `free` is called on any thread, when no layer refers to the value any more.
 */
struct store_definition_ops {
	const void *(*parse)(const char *text, struct err *e);
	void (*free)(const void *parsed);
};

/* How long a change's key is remembered, and how many keys are. */
#define STORE_KEY_LIFETIME_S 86400u
#define STORE_KEYS_MAX ((uint64_t)16000000)

/* The most time until a daemon shows what another one, with the same database, has committed. */
#define STORE_MAX_STALENESS_US ((uint64_t)1000000)

/* A list of doubles. `values` is NULL for "the default" (weight 1, bias 0), whatever the count. */
struct store_vector {
	const double *values;
	size_t count;
};

/* What never changes of a layer. */
struct layer_identity {
	int64_t id; /* no other layer ever gets it, not even a later one with the same name */
	char model[STORE_NAME_MAX + 1];
	char name[STORE_NAME_MAX + 1];
	const char *definition; /* as it was given */
	const void *parsed;     /* what store_definition_ops.parse made of it */
};

/* A committed state of a layer: immutable, shared, and counted by snapshot_ref and snapshot_unref, on any thread. */
struct snapshot {
	const struct layer_identity *identity;
	uint64_t revision;
	struct statistics statistics; /* features 0: not fixed yet; mean and var NULL: never trained, nothing put */
	struct store_vector weight;
	struct store_vector bias;
	bool frozen;       /* nothing may move the statistics */
	size_t sources;    /* how many sources the statistics are pooled from, without the part that has none */
	int64_t changed_s; /* when it changed last, but by STORE_MODEL_FREEZE: seconds since 1970; 0: not recorded */
	uint64_t version;  /* the number of the version that it is of; 0: it is live */
	uint64_t since;    /* the store's own: the first mark whose version would hold it */
	unsigned char version_digest[SHA256_BYTES]; /* that version's; zeros where it is live */
};

const struct snapshot *snapshot_ref(const struct snapshot *layer);
void snapshot_unref(const struct snapshot *layer); /* NULL is fine */

/*
 * A snapshot remembers its digest, once a caller has computed it, for all who have a reference; the store does not know
 * how. get: false as long as none is set. set: whoever calls, when and how often, sets the same digest. Any thread.
 */
bool snapshot_digest_get(const struct snapshot *layer, unsigned char out[SHA256_BYTES]) MUST_CHECK;
void snapshot_digest_set(const struct snapshot *layer, const unsigned char digest[SHA256_BYTES]);

/*
 * A copy of all that the store holds, in a file without a name, which is gone with the last reference. Immutable,
 * shared, and counted by store_copy_ref and store_copy_unref.
 */
struct store_copy {
	int descriptor; /* read it by offset, and do not close it */
	uint64_t bytes;
};

const struct store_copy *store_copy_ref(const struct store_copy *copy);
void store_copy_unref(const struct store_copy *copy); /* NULL is fine; before store_close */

/* If-Match. Without `present`, every revision matches. */
struct store_precondition {
	bool present;
	bool any; /* "*" */
	unsigned count;
	uint64_t revisions[8];
};

/* One entry of a list. */
struct store_entry {
	char name[STORE_NAME_MAX + 1];
	char *definition; /* of layers; else NULL */
	uint64_t revision;
	uint64_t features;
	bool frozen;
	uint64_t serving; /* of models: the number of the version that serves; 0: live */
};

/* A layer's committed state; errors no_such_layer, no_such_model, no_such_version, no_such_alias, revision_mismatch. */
struct store_get {
	const char *model, *layer;
	struct store_which which;
	uint64_t min_revision;       /* a live state of an older one is read again, and refused if it is still older */
	struct budget_share *memory; /* counts the snapshot if it has to be loaded; NULL: not counted */

	const struct snapshot *snapshot; /* a reference of the operation's own */
	uint64_t age_us;                 /* for how long it was not compared with a database that is away; else 0 */
};

/*
 * Several layers of a model, in one committed state; errors as store_get's. `names` and `snapshots` are the
 * submitter's, with `count` entries from 1; snapshots are zeroed.
 */
struct store_layers {
	const char *model;
	const char *const *names;
	size_t count;
	struct store_which which;
	uint64_t min_revision;       /* as in store_get */
	struct budget_share *memory; /* counts the snapshots that have to be loaded; NULL: not counted */

	const struct snapshot **snapshots; /* a reference to each of the operation's own */
	uint64_t age_us;                   /* as in store_get; of the oldest */
};

/* Names in byte order, at most `limit` of those above `after` (NULL: from the first). */
struct store_list {
	const char *model; /* of a list of layers */
	const char *after;
	size_t limit;
	/* Of a list of models: only names that begin with one of these, sorted; none begins with another. None: all. */
	const char *const *prefixes;
	size_t prefix_count;

	struct store_entry *entries;
	size_t count;
	bool more; /* there are such names after the last entry */
};

/* The most sources of a layer. */
#define STORE_SOURCES_MAX ((size_t)4096)

/* What a source has contributed to a pooled layer: the moments of all its values. */
struct store_source {
	char name[STORE_NAME_MAX + 1];
	int64_t time_s; /* when its totals came or grew: seconds since 1970 */
	struct moments totals;
};

/* A page of a layer's sources, in the order of their names, or one of them; errors as store_get's, no_such_source. */
struct store_sources {
	const char *model, *layer;
	const char *name;            /* the one source; NULL: a page */
	const char *after;           /* of a page: only names above it; NULL: from the first */
	size_t limit;                /* of a page: at most so many */
	struct budget_share *memory; /* counts the entries, and the snapshot if it has to be loaded */

	const struct snapshot *snapshot; /* the layer's state at that moment; a reference of the operation's own */
	struct store_source *entries;    /* the operation's own, with their lists */
	size_t count;                    /* fewer than `limit` also where the lists are long */
	bool more;                       /* there are sources after the last entry */
};

enum store_write_kind {
	STORE_LAYER_CREATE,     /* takes `create`; changes nothing if the layer exists */
	STORE_LAYER_DELETE,     /* */
	STORE_MODEL_DELETE,     /* with all its layers; ignores `layer` and the precondition */
	STORE_UPDATE,           /* takes `updates`; fixes an open number of features; frozen */
	STORE_STATISTICS_PUT,   /* takes `statistics`, forgets all sources; fixes an open number of features; frozen */
	STORE_STATISTICS_RESET, /* forgets all sources; frozen */
	STORE_PARAMETERS_PUT,   /* takes `parameters`; fixes an open number of features */
	STORE_SOURCE_PUT,       /* takes `source`; fixes an open number of features; frozen, source_went_back, ... */
	STORE_SOURCE_DELETE,    /* takes the name and ddof of `source`; frozen, no_such_source */
	STORE_SOURCES_FOLD,     /* takes `fold`; frozen, no_such_source */
	STORE_FREEZE,           /* takes `frozen`; changes nothing if that is so already */
	STORE_MODEL_FREEZE,     /* the same for all layers of the model; ignores `layer` and the precondition */
	STORE_WINDOW_RESET,     /* begins a new window; the layer's state stays as it is */
	/* Of a model's versions: take `version`; ignore `layer` and the precondition. Each is a change's only write. */
	STORE_PIN,            /* pins all layers as they are; a change with a used key is repeated, and sets `made` */
	STORE_VERSION_MAKE,   /* makes a pin a version */
	STORE_VERSION_DELETE, /* version_in_use */
	STORE_SERVE,          /* switches what serves; changes nothing if that serves already */
	STORE_ALIAS_PUT,
	STORE_ALIAS_DELETE,
	STORE_WRITE_COUNT
};

/* The result of a write: the layer as its change left it. Zero if the layer or model was deleted. */
struct store_written {
	uint64_t revision;
	uint64_t num_batches_tracked;
	uint64_t features;
	uint64_t layers; /* STORE_MODEL_FREEZE sets this one alone: how many layers the model has */
	bool created;    /* the layer did not exist before */
	bool frozen;
	bool asked; /* of a STORE_UPDATE of a repeated change: the first time it only asked, and moved nothing */
	const struct snapshot *snapshot; /* of STORE_LAYER_CREATE: a reference to the layer, new or as it was before */
};

/* One write of a change: zero it, then set what its kind needs. */
struct store_write {
	enum store_write_kind kind;
	const char *model, *layer;
	int64_t layer_id; /* no_such_layer if the name means another layer by now; 0: any */
	struct store_precondition precondition;
	union { /* by kind */
		struct {
			const char *definition;
			size_t features; /* 0: open */
			bool same;       /* layer_differs if the layer exists with another text */
		} create;
		struct {
			const struct update *list; /* applied in order */
			size_t count;       /* 0: only asks whether the change's key was used, and moves nothing */
			const char *source; /* whose totals grow by them; NULL: the part without a source */
			/*
			 * Called on the store's thread with the state that the updates lead to, or that stands where
			 * the change is repeated. The snapshot is valid during the call alone and takes no references.
			 * -1 with `e` refuses the change. NULL: nothing is called. What was accepted stands only when
			 * the operation succeeds.
			 */
			int (*accept)(void *arg, const struct snapshot *after, struct err *e);
			void *accept_arg;
		} updates;
		const struct statistics *statistics;
		struct {
			struct store_vector weight, bias;
			size_t features; /* 0: none to fix */
		} parameters;
		struct {
			const char *name;
			const struct moments *totals; /* in the place of its totals so far */
			size_t features;
			unsigned ddof; /* of the layer's running variance, as struct update has it */
		} source;
		struct {
			const char *const *names; /* whose totals go to the part without a source, in their order */
			size_t count;
			unsigned ddof;
		} fold;
		bool frozen;
		struct store_version_write version;
	};

	struct store_written result;
	struct working *working; /* the store's own */
};

/*
 * Writes to one layer or several, applied in order, all or none. Each write sees the results of those before it. A
 * change that is refused leaves no trace; if it has several writes, the error names the one that is refused.
 *
 * A change with a key is applied once, however often it is submitted. The key is remembered with each layer that the
 * change writes to and does not delete; a write to a whole model counts as to none. Using it with another digest, or
 * for other layers beside one of these, fails (idempotency_mismatch). Writes that only ask leave no key, unless others
 * of their change do more: then the key is remembered with all, and a repeat is told by `asked` which they were.
 */
struct store_change {
	struct store_write *writes;
	size_t count;                           /* from 1 */
	const char *key;                        /* NULL: none */
	unsigned char key_digest[DIGEST_BYTES]; /* of what was asked under that key */

	/* The key was used before: nothing changes. The results are of the first time, or the present with `accept`. */
	bool repeated;
};

/*
 * The memory that a write takes until it is committed, for a request to account for. Of every list of doubles that it
 * brings there are STORE_DOUBLES_COPIES at most: the caller's; the batch's; the next snapshot's; the one that the
 * database is given, and the row that it makes of it. store_write_bytes: the rest, for a layer in this state, with both
 * snapshots. store_snapshot_bytes: of a snapshot's lists.
 */
#define STORE_DOUBLES_COPIES ((size_t)5)
size_t store_write_bytes(const struct snapshot *state, const struct store_write *write);
size_t store_snapshot_bytes(const struct snapshot *s);

enum store_op_kind {
	STORE_LAYER_GET,    /* get */
	STORE_LAYERS_GET,   /* layers */
	STORE_LAYER_LIST,   /* list */
	STORE_MODEL_LIST,   /* list */
	STORE_SOURCES_GET,  /* sources */
	STORE_VERSIONS_GET, /* versions */
	STORE_STATES_GET,   /* states */
	STORE_SWITCHES_GET, /* switches */
	STORE_ALIASES_GET,  /* aliases */
	STORE_HISTORY_GET,  /* history */
	STORE_WINDOW_GET,   /* window */
	STORE_CHANGE,       /* change */
	STORE_BACKUP,       /* -> copy: it holds at least what was committed when the operation was submitted */
	STORE_OP_COUNT
};

/*
 * An operation. Zero it, then set the kind and the kind's member. The caller owns it and all that it points to, and
 * leaves them alone from store_submit until `done`; afterwards store_op_fini.
 */
struct store_op {
	enum store_op_kind kind;
	union { /* by kind */
		struct store_get get;
		struct store_layers layers;
		struct store_list list;
		struct store_sources sources;
		struct store_versions versions;
		struct store_states states;
		struct store_switches switches;
		struct store_aliases aliases;
		struct store_history history;
		struct store_window window;
		struct store_change change;
		const struct store_copy *copy; /* a reference of the operation's own */
	};

	/* Called on the store's thread when the operation has ended. It must not block, and may free the operation. */
	void (*done)(struct store_op *op);
	void *done_arg;

	struct err err;        /* err.code ERR_NONE: it succeeded */
	struct store_op *next; /* the store's own */
};

/* Releases what the results hold (not the operation itself). A zeroed operation is fine. */
void store_op_fini(struct store_op *op);

/*
 * Opening a large store of an earlier version, or one that was not closed, may take long. Meanwhile `progress` is
 * called by the thread that opens it, each time that it has got on a little, many times a second. NULL: nothing is
 * called.
 */
struct store_opening {
	void (*progress)(void *arg);
	void *arg;
};

struct store_options {
	const char *url;              /* "sqlite:PATH", "postgresql://..." */
	size_t queue_max;             /* operations that may wait */
	unsigned key_lifetime_s;      /* how long a key is remembered; 0: STORE_KEY_LIFETIME_S */
	uint64_t keys_max;            /* how many keys are; beyond, the oldest are forgotten; 0: STORE_KEYS_MAX */
	unsigned history_interval_s;  /* a layer's history has a row per so many seconds at most; 0: 60 */
	size_t cache_bytes_max;       /* committed state kept in memory */
	size_t sources_bytes_max;     /* the most of these that the totals of sources may take */
	size_t windows_bytes_max;     /* of these, what windows may take before they are saved early; 0: an eighth */
	uint64_t windows_interval_us; /* how often windows are saved; 0: STORE_WINDOWS_INTERVAL_US */
	uint64_t max_staleness_us;    /* what other daemons have written is shown no later; 0: STORE_MAX_STALENESS_US */
	struct store_definition_ops definitions;
	struct store_opening opening;
};

/* Checks that a URL can name a store that lasts (bad_parameter). Touches nothing. */
int store_check_url(const char *url, struct err *e) MUST_CHECK;

/*
 * Checks that the store could be opened or made, as far as that shows from outside: folders, permissions, the file's
 * first bytes (bad_parameter, storage_unavailable). Changes nothing; a daemon may have the store open.
 */
int store_check_place(const char *url, struct err *e) MUST_CHECK;

/* The longest text of store_show_url, with its end. */
#define STORE_URL_SHOWN 512

/* The URL without its passwords, for the log and for messages; it may be cut. Returns `out`. */
const char *store_show_url(const char *url, char out[STORE_URL_SHOWN]);

/*
 * Calls `one` for each file, and each folder of such files, from which connections to the store take passwords and
 * certificates. `alone`: nothing beside the file may be read.
 */
typedef void store_file(void *arg, const char *path, bool alone);
void store_find_files(const char *url, store_file *one, void *arg);

/*
 * Opens the store, which is created if it does not exist, and starts its thread. The options are copied. NULL with `e`,
 * whose detail is for the operator: in use by another process, not a normd store, from a newer version, ...
 */
struct store *store_open(const struct store_options *options, struct err *e) MUST_CHECK;

/* Completes all that was submitted and stops the thread. From then on store_submit fails with shutting_down. */
/*
 * Where synchronized steps meet whose ranks reach several daemons: the database of the URL, once the store is open.
 * *meeting: for sync_start; NULL where the database is one daemon's alone. To be closed by its `close`.
 */
int store_meeting_open(const char *url, struct meeting **meeting, struct err *e) MUST_CHECK;

void store_stop(struct store *s);

/* Stops, unless store_stop was called, and closes. Nobody may use the store any more. NULL is fine. */
void store_close(struct store *s);

/* Hands the operation over. -1 with `e` if the queue is full (overloaded) or the store stops; `done` is not called. */
int store_submit(struct store *s, struct store_op *op, struct err *e) MUST_CHECK;

/* The error for a call that would move the statistics of a frozen layer. Returns -1. */
int store_refuse_frozen(const char *layer, struct err *e);

/*
 * Sets get->snapshot and its age if the cache has the state that is asked for (but not of STORE_PINNED): a reference of
 * the caller's, which is also returned. NULL: the store must be asked. Does not wait.
 */
const struct snapshot *store_layer_cached(struct store *s, struct store_get *get);

/*
 * The same for several layers of a model, in one committed state: sets `snapshots`, with references for the caller, and
 * the age. False: the cache does not hold all of them, and there are no references.
 */
bool store_layers_cached(struct store *s, struct store_layers *layers) MUST_CHECK;

/* What the store holds and what waits. What cannot be found out is 0. Any thread; may wait for the file system. */
struct store_figures {
	size_t queue, queue_max; /* operations */
	size_t cache_entries, cache_bytes, cache_bytes_max;
	size_t windows_bytes;
	uint64_t away_us; /* for how long the database has been away; 0: it is not */
	uint64_t file_bytes, wal_bytes, disk_bytes, disk_free_bytes;
};
void store_measure(struct store *s, struct store_figures *out);

/*
 * Whether the storage takes writes: false after a transaction that it failed, until one succeeds, which is tried every
 * second; true before the first.
 */
bool store_healthy(const struct store *s);
