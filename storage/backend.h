/* SPDX-License-Identifier: MIT */
/*
 * What a database must do for the store. One backend is used by one thread at a time. Every function returns 0, or -1
 * with `e` (storage_unavailable, storage_full, overloaded). A write that fails leaves the transaction to be rolled
 * back.
 */
#ifndef STORAGE_BACKEND_H
#define STORAGE_BACKEND_H

#include "storage/store.h"

struct backend;

/* What an update came to that was made under a key. */
struct used_key {
	unsigned char digest[DIGEST_BYTES];
	uint64_t revision;
	uint64_t num_batches_tracked;
};

/* What forgetting the oldest keys came to. */
struct trimmed_keys {
	size_t forgotten;
	int64_t youngest_s; /* when the youngest of them was used */
	uint64_t kept;      /* at most so many are left */
};

/* How far a copy is. */
struct copy_progress {
	bool whole;
	uint64_t
	    /* of the file that are written, from its start; few of them will change. When it is whole: its length */
	    bytes;
};

struct backend_ops {
	/*
	 * One durable transaction: when `commit` has returned 0 it survives a power cut. `rollback` also after a failed
	 * commit. Of a commit that failed nothing stands, also after a restart, unless `e` says that this is not known.
	 */
	int (*begin)(struct backend *b, struct err *e);
	int (*commit)(struct backend *b, struct err *e);
	void (*rollback)(struct backend *b);
	/*
	 * A nested transaction: `unmark` ends it, and where `back` takes back what was written since `mark`. One at a
	 * time.
	 */
	int (*mark)(struct backend *b, struct err *e);
	int (*unmark)(struct backend *b, bool back, struct err *e);
	/* Whether what was begun can still be committed: a read that fails may have ended the transaction too. */
	bool (*in_transaction)(struct backend *b);

	/*
	 * *out: a new snapshot, whose lists stay counted in `memory` (NULL: nowhere), or NULL when there is no such
	 * layer.
	 */
	int (*load)(struct backend *b, const char *model, const char *layer, struct budget_share *memory,
	    const struct snapshot **out, struct err *e);
	int (*model_exists)(struct backend *b, const char *model, bool *exists, struct err *e);

	/* A new layer, and its model where that is new; *id is the new layer's. */
	int (*insert)(struct backend *b, const char *model, const char *layer, const char *definition, size_t features,
	    int64_t *id, struct err *e);
	/* Writes the revision and the statistics, and the parameters where asked. */
	int (*save)(struct backend *b, const struct snapshot *layer, bool parameters, struct err *e);
	/*
	 * The keys of updates. find_key looks for one that was used at `since_s` or later; add_key replaces an older
	 * one; purge_keys forgets up to `limit` of those from before `since_s`, and says how many; trim_keys forgets up
	 * to `limit` of the oldest while there are more than `max`, and is cheap where there are not.
	 */
	int (*find_key)(struct backend *b, int64_t layer_id, const char *key, int64_t since_s, struct used_key *out,
	    bool *found, struct err *e);
	int (*add_key)(struct backend *b, int64_t layer_id, const char *key, const struct used_key *used, int64_t now_s,
	    struct err *e);
	int (*purge_keys)(struct backend *b, int64_t since_s, size_t limit, size_t *purged, struct err *e);
	int (*trim_keys)(struct backend *b, uint64_t max, size_t limit, struct trimmed_keys *out, struct err *e);
	int (*delete_layer)(struct backend *b, int64_t id, struct err *e);
	int (*delete_model)(struct backend *b, const char *model, struct err *e);

	/* Fill entries, count and more. */
	int (*list_layers)(struct backend *b, struct store_list *list, struct err *e);
	int (*list_models)(struct backend *b, struct store_list *list, struct err *e);

	/*
	 * A copy of all that is committed, made in short steps outside of transactions; one at a time. `copy_start`
	 * gives a file without a name, which is the caller's to close, in any case after the copy has ended: by a step
	 * that says it is whole, and then has all in it that was committed until then; by a step that failed; or by
	 * `copy_drop`.
	 */
	int (*copy_start)(struct backend *b, int *descriptor, struct err *e);
	int (*copy_step)(struct backend *b, struct copy_progress *progress, struct err *e);
	void (*copy_drop)(struct backend *b);

	void (*close)(struct backend *b);
};

/* The first member of every backend. */
struct backend {
	const struct backend_ops *ops;
};

/* no_such_model where there is no such model. */
int backend_need_model(struct backend *b, const char *model, struct err *e) MUST_CHECK;

/* Of a layer that was not found: no_such_model or no_such_layer, whichever is true. Returns -1. */
int backend_refuse_layer(struct backend *b, const char *model, const char *layer, struct err *e);

/* Opens the SQLite file at `path`, creating it where there is none. NULL with `e`. `definitions` must outlive it. */
struct backend *
sqlite_backend_open(const char *path, const struct store_definition_ops *definitions, struct err *e) MUST_CHECK;

#endif
