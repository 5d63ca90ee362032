/* SPDX-License-Identifier: MIT */
/*
 * What a database must do for the store. One thread at a time uses a backend. Every function returns 0, or -1 with `e`
 * (storage_unavailable, storage_full, overloaded). When a write fails, the transaction must be rolled back.
 */
#pragma once

#include "storage/cache.h"
#include "storage/plan.h"
#include "storage/sources.h"

struct backend;
struct identity_common;

/* What was done under a key: its digest, and how the change left the layer. */
struct used_key {
	unsigned char digest[DIGEST_BYTES];
	uint64_t revision;
	uint64_t num_batches_tracked;
};

/* What forgetting the oldest keys came to. */
struct trimmed_keys {
	size_t forgotten;
	int64_t youngest_s; /* when the youngest of them was used */
	uint64_t kept;      /* an upper bound of how many are left */
};

/* How far a copy is. */
struct copy_progress {
	bool whole;
	uint64_t bytes; /* written from the file's start; few of them will still change. If it is whole, its length */
};

/* A layer that was inserted. */
struct inserted {
	int64_t id;
	uint64_t since;
};

/* All layers of a model, frozen or thawed. */
struct model_freeze {
	const char *model;
	bool frozen;
	uint64_t mark; /* the model's */

	uint64_t layers; /* how many the model has */
};

/* A model's states at a mark: those of a version (0: live), or of a pin (0: of the version). */
struct model_at {
	const char *model;
	uint64_t version;
	int64_t pin;

	unsigned char digest[SHA256_BYTES]; /* the version's; else zeros */
	/* The backend's. */
	int64_t model_id;
	int64_t mark;
};

/* Where a layer's state is stored. */
struct state_row {
	char name[STORE_NAME_MAX + 1];
	uint64_t since; /* the first mark whose version has it */
	size_t bytes;   /* of its lists */
	int64_t id;     /* the backend's, and this: whether it has moved on */
	bool kept;
	/* The live layer's, or NULL, for load_row: a row of the same layer shares it, with its parsed definition. */
	const struct layer_identity *live;
};

/* A pin that becomes a version. */
struct new_version {
	const char *model;
	int64_t pin;
	const char *note;
	const unsigned char *digest;     /* SHA256_BYTES */
	const char *key;                 /* NULL: none */
	const unsigned char *key_digest; /* DIGEST_BYTES */
};

/* A version that was made under a key. */
struct used_version {
	unsigned char key_digest[DIGEST_BYTES];
	struct store_version version;
};

/* A layer's window as it is stored. */
struct window_row {
	int64_t switch_id; /* of the model's latest switch of what serves; 0: there was none */
	int64_t since_s;   /* when the window began; 0: there was no switch, and no values came yet */
	uint64_t count;    /* 0: it is empty, also because it is from before that switch */
	size_t features;
	double *mean, *var; /* malloc'ed, or NULL */
};

struct backend_ops {
	/*
	 * One durable transaction: when `commit` has returned 0 it survives a power cut. `rollback` is also called
	 * after a failed commit. Nothing of a failed commit is stored, not even after a restart, unless `e` says that
	 * this is not known.
	 *
	 * With a plan, of a shared database, `begin` locks what the plan names and reads it; the plan stays until the
	 * transaction has ended. Then load, load_pointer and find_key tell what was read.
	 */
	int (*begin)(struct backend *b, const struct batch_plan *plan, struct err *e);
	int (*commit)(struct backend *b, struct err *e);
	void (*rollback)(struct backend *b);
	/* A nested transaction, one at a time. `unmark` ends it; with `back` it undoes all writes since `mark`. */
	int (*mark)(struct backend *b, struct err *e);
	int (*unmark)(struct backend *b, bool back, struct err *e);
	/* Whether the transaction can still be committed: a read that fails may have ended it. */
	bool (*in_transaction)(struct backend *b);
	/*
	 * Of a shared database: whether the transaction that was rolled back last failed for a reason that may be gone
	 * when the whole of it is done again. NULL: never.
	 */
	bool (*may_retry)(struct backend *b);
	/*
	 * Of a shared database: reads what the plan names, without locks. Until `forget`, load and load_pointer tell
	 * what was read. NULL: there is nothing to gain.
	 */
	int (*look)(struct backend *b, const struct batch_plan *plan, struct err *e);
	void (*forget)(struct backend *b);
	/* Whether the database cannot be reached, as the last try showed. NULL: it always can. */
	bool (*is_away)(const struct backend *b);
	/* Writes, within the transaction, something that changes nothing: without a write any transaction succeeds. */
	int (*try_write)(struct backend *b, struct err *e);

	/* *out: a new snapshot, whose lists stay counted in `memory` (NULL: not counted); NULL: no such layer. */
	int (*load)(struct backend *b, const char *model, const char *layer, struct budget_share *memory,
	    const struct snapshot **out, struct err *e);
	int (*model_exists)(struct backend *b, const char *model, bool *exists, struct err *e);
	/* What a name of a model stands for (cache.h). *found: whether there are the model and the alias, if named. */
	int (*load_pointer)(
	    struct backend *b, const char *model, const char *name, struct pointer *out, bool *found, struct err *e);

	/*
	 * The states of a model at a mark. find_at completes `at`, unless there is no such model, version or pin.
	 * find_row and next_row: the state of a layer, or of the first layer with a name above `after`, if there is
	 * one. load_row: as `load`, of a row that they have found.
	 */
	int (*find_at)(struct backend *b, struct model_at *at, bool *found, struct err *e);
	int (*find_row)(struct backend *b, const struct model_at *at, const char *layer, struct state_row *out,
	    bool *found, struct err *e);
	int (*next_row)(struct backend *b, const struct model_at *at, const char *after, struct state_row *out,
	    bool *found, struct err *e);
	int (*load_row)(struct backend *b, const struct model_at *at, const struct state_row *row,
	    struct budget_share *memory, const struct snapshot **out, struct err *e);
	/*
	 * Before a layer's row is changed or deleted: keeps it, if a version or a pin has it as it is. `mark`: the
	 * model's. The rows of what is dropped or deleted, also with its model, are kept until `reclaim`: a slice of
	 * that, and of versions whose keys are from before `keys_since_s`. *more: it was full.
	 */
	int (*keep)(struct backend *b, const struct layer_identity *layer, uint64_t mark, struct err *e);
	int (*reclaim)(struct backend *b, int64_t keys_since_s, bool *more, struct err *e);
	/*
	 * Pins and versions. take_pin: *layers is false, and no pin taken, if the model has none. last_pin: the id of
	 * the latest pin or version, or 0. drop_pins: those with ids up to `last` that are no versions.
	 */
	int (*take_pin)(struct backend *b, const char *model, int64_t now_s, int64_t *id, bool *layers, struct err *e);
	int (*last_pin)(struct backend *b, int64_t *id, struct err *e);
	int (*drop_pins)(struct backend *b, int64_t first, int64_t last, struct err *e);
	/*
	 * make_version: the pin with that id, which is not found if it was dropped with its model. find_version_key:
	 * the version that was made under a key at `since_s` or later, also if it was deleted.
	 */
	int (*make_version)(
	    struct backend *b, const struct new_version *make, struct store_version *made, bool *found, struct err *e);
	int (*find_version_key)(struct backend *b, const struct new_version *asked, int64_t since_s,
	    struct used_version *out, bool *found, struct err *e);
	int (*delete_version)(struct backend *b, const char *model, uint64_t number, struct err *e);
	/* Sets entries, count and more: of a page, or, where `number` is not 0, of that version, if there is one. */
	int (*list_versions)(struct backend *b, uint64_t number, struct store_versions *list, struct err *e);
	int (*version_exists)(struct backend *b, const char *model, uint64_t number, bool *exists, struct err *e);
	/*
	 * Switches of what serves, and aliases. add_switch sets the switch's id. put_alias adds or replaces.
	 * delete_alias tells whether there was one. The lists set entries, count and more.
	 */
	int (*add_switch)(struct backend *b, const char *model, struct store_switch *added, struct err *e);
	int (*list_switches)(struct backend *b, struct store_switches *list, struct err *e);
	int (*put_alias)(struct backend *b, const char *model, const char *alias, uint64_t number, struct err *e);
	int (*delete_alias)(struct backend *b, const char *model, const char *alias, bool *deleted, struct err *e);
	/* An alias that names the version. */
	int (*find_alias)(
	    struct backend *b, const char *model, uint64_t number, struct store_alias *out, bool *found, struct err *e);
	int (*list_aliases)(struct backend *b, struct store_aliases *list, struct err *e);

	/* Inserts the layer of a STORE_LAYER_CREATE, and its model if that is new. */
	int (*insert)(
	    struct backend *b, const struct store_write *write, int64_t now_s, struct inserted *out, struct err *e);
	/* Writes the revision and the statistics, and the parameters if asked. */
	int (*save)(struct backend *b, const struct snapshot *layer, bool parameters, struct err *e);
	/*
	 * The keys of changes. find_key looks for a key that was used at `since_s` or later. add_key replaces an older
	 * one. purge_keys forgets up to `limit` keys from before `since_s`; *purged: how many. trim_keys forgets up to
	 * `limit` of the oldest keys while there are more than `max`; it is cheap if there are not.
	 */
	int (*find_key)(struct backend *b, const struct layer_identity *layer, const char *key, int64_t since_s,
	    struct used_key *out, bool *found, struct err *e);
	int (*add_key)(struct backend *b, const struct layer_identity *layer, const char *key,
	    const struct used_key *used, int64_t now_s, struct err *e);
	int (*purge_keys)(struct backend *b, int64_t since_s, size_t limit, size_t *purged, struct err *e);
	int (*trim_keys)(struct backend *b, uint64_t max, size_t limit, struct trimmed_keys *out, struct err *e);
	/*
	 * The rows of a layer's sources. load_sources adds all of them to an empty tree, without merging; put_source
	 * adds or replaces one, and delete_sources deletes all. delete_layer and delete_model delete them too.
	 */
	int (*load_sources)(struct backend *b, const struct layer_identity *layer, struct sources *into, struct err *e);
	int (*put_source)(
	    struct backend *b, const struct layer_identity *layer, const struct source *source, struct err *e);
	int (*delete_source)(struct backend *b, const struct layer_identity *layer, const char *name, struct err *e);
	int (*delete_sources)(struct backend *b, const struct layer_identity *layer, struct err *e);
	/*
	 * The rows of a layer's history. last_moment sets the number, the time and the revision of the latest; without
	 * one it changes nothing. add_moment adds moment->number, and deletes the row `thinned` (0: none). delete_layer
	 * and delete_model leave rows to purge_history, which deletes up to `limit`; *purged: how many.
	 */
	int (*last_moment)(
	    struct backend *b, const struct layer_identity *layer, struct store_moment *out, struct err *e);
	int (*add_moment)(struct backend *b, const struct layer_identity *layer, const struct store_moment *moment,
	    uint64_t thinned, struct err *e);
	int (*purge_history)(struct backend *b, size_t limit, size_t *purged, struct err *e);
	/*
	 * A layer's window. load_window: *found is false if there is no such layer. save_window writes the moments,
	 * with what `row` says otherwise. delete_layer and delete_model delete windows too.
	 */
	int (*load_window)(
	    struct backend *b, const struct layer_identity *layer, struct window_row *out, bool *found, struct err *e);
	int (*save_window)(struct backend *b, const struct layer_identity *layer, const struct window_row *row,
	    const struct moments *moments, size_t features, struct err *e);
	int (*delete_layer)(struct backend *b, const struct layer_identity *layer, struct err *e);
	int (*delete_model)(struct backend *b, const char *model, struct err *e);
	/* Keeps and changes each layer whose flag was another. */
	int (*freeze_model)(struct backend *b, struct model_freeze *freeze, struct err *e);

	/* Set entries, count and more. */
	int (*list_layers)(struct backend *b, struct store_list *list, struct err *e);
	int (*list_models)(struct backend *b, struct store_list *list, struct err *e);
	/* The same, of the layer of list->snapshot; no entry if there is no source list->name. */
	int (*list_sources)(struct backend *b, struct store_sources *list, struct err *e);
	int (*list_moments)(struct backend *b, struct store_history *list, struct err *e);

	/*
	 * A copy of all that is committed, made in short steps between transactions; one at a time. `copy_start`
	 * returns the descriptor of a file without a name, which the caller closes after the copy has ended: by a step
	 * that says it is whole, and holds all that is committed then; by a step that failed; or by `copy_drop`.
	 */
	int (*copy_start)(struct backend *b, int *descriptor, struct err *e);
	int (*copy_step)(struct backend *b, struct copy_progress *progress, struct err *e);
	void (*copy_drop)(struct backend *b);

	/* Sets what `out` says of files. Any thread. */
	void (*measure)(const struct backend *b, struct store_figures *out);

	void (*close)(struct backend *b);
};

/* The first member of every backend. */
struct backend {
	const struct backend_ops *ops;
	bool shared; /* others write to the database too: what the cache has may be out of date */
	int64_t
	    clock_offset_s; /* of a shared database: its clock less ours, so that there is one time for all daemons */
};

/* Lists the models of each of the list's prefixes, or all: `one` adds those of a prefix. */
int backend_list_models(struct backend *b, struct store_list *list,
    int (*one)(struct backend *b, struct store_list *list, const char *prefix, struct err *e),
    struct err *e) MUST_CHECK;

/* Checks that there is such a model (no_such_model). */
int backend_need_model(struct backend *b, const char *model, struct err *e) MUST_CHECK;

/* The error for a layer that was not found: no_such_model or no_such_layer. Returns -1. */
int backend_refuse_layer(struct backend *b, const char *model, const char *layer, struct err *e);

/* The errors for a version, an alias and a source that were not found. -1. */
int backend_refuse_version(const char *model, const char *version, struct err *e);
int backend_refuse_alias(const char *model, const char *alias, struct err *e);
int backend_refuse_source(const char *layer, const char *source, struct err *e);

/*
 * Opens the SQLite file at `path`, which is created if needed, and tells `opening` of the progress (NULL: nobody). NULL
 * with `e`. `identities` must outlive it.
 */
struct backend *sqlite_backend_open(const char *path, const struct store_opening *opening,
    const struct identity_common *identities, struct err *e) MUST_CHECK;

/* Opens what a postgresql:// URL leads to, whose tables are made if needed. NULL with `e`. `identities` as above. */
struct backend *pg_backend_open(const char *url, const struct identity_common *identities, struct err *e) MUST_CHECK;
