/* SPDX-License-Identifier: MIT */
/*
 * A batch: all the changes that waited, applied in order to copies of the layers in memory, then written and committed
 * at once. This is the overlay of layers that the batch has changed; change.c applies a change to it, all or none, and
 * apply.c says what each write means. The store's thread alone uses it.
 */
#pragma once

#include "base/arena.h"
#include "storage/backend.h"
#include "storage/cache.h"
#include "storage/source_trees.h"
#include "storage/windows.h"

/* A layer as this batch has changed it so far. Arrays are the committed snapshot's or the batch's arena's. */
struct working {
	char model[STORE_NAME_MAX + 1];
	char name[STORE_NAME_MAX + 1];
	bool exists;
	/* A reference: the committed state, or the empty one that this batch created; NULL if !exists. */
	const struct snapshot *base;
	struct snapshot now;     /* its arrays and references are not its own */
	struct statistics spare; /* arrays for the next update; mean NULL if there are none */
	bool dirty;              /* to be saved */
	bool parameters_dirty;
	bool window_reset;    /* its window begins anew */
	bool stale;           /* the database has changed the layer by itself: `base` is not what will be committed */
	struct working *kept; /* as it was before the change at hand, which may go back; NULL: not touched by it */
	struct working *next_kept;            /* the next that the change has touched */
	const struct store_change *raised_by; /* the last change that raised the layer's revision */
	const struct store_change *keyed_by;  /* the last one that stored its key with the layer */
	const struct snapshot *next_layer;    /* the snapshot to save and publish, once batch_save has made it */
	struct working *chain;                /* the next of its bucket */
	struct working *next;                 /* in order of first use */
};

/* What a name of a model stands for once the batch is committed (cache.h). */
struct batch_pointer {
	const char *model, *name;
	struct pointer pointer;
	bool found; /* there are such a model and such a name */
};

/* A version that a batch has deleted. */
struct dropped_version {
	const char *model;
	uint64_t number;
	struct dropped_version *next;
};

/* A model that is served from another version now. */
struct switched_model {
	const char *model;
	struct switched_model *next;
};

struct batch {
	struct store *store; /* whose pins are taken */
	struct backend *backend;
	struct cache *cache;
	struct source_trees *trees;
	struct windows *windows;
	const struct identity_common *identities;
	int64_t now_s;        /* the time of the batch, by the clock that may jump */
	int64_t keys_since_s; /* keys from before this are forgotten */
	unsigned history_interval_s;
	struct batch_plan plan; /* empty where nobody else writes */
	bool chores_are_due;
	bool chores_go_on; /* a slice was full: the next should follow at once */
	size_t keys_added, keys_purged;
	struct trimmed_keys trimmed;
	struct arena arena;
	struct working **buckets;
	size_t bucket_count; /* a power of two */
	struct working *first, **last;
	const char **stale_models; /* changed in this batch as a whole: their layers in the cache are out of date */
	size_t stale_count;
	struct batch_pointer *pointers; /* that may have changed; batch_save reads what they are */
	size_t pointer_count;
	struct dropped_version *dropped_versions;
	struct switched_model *switched_models;
	const struct store_change *change; /* the change at hand */
	bool may_go_back;                  /* the change at hand: what it touches is kept */
	struct working *kept;              /* what it has touched */
	size_t stale_before;               /* stale_count as the change before it left it */
	bool several;                      /* a change had several writes: all is published at once */
	bool broken; /* a write failed, or took the transaction with it: nothing of this batch can be committed */
};

/* An empty batch for changes of at most `write_count` writes in all. -1: no memory. Either way batch_fini follows. */
int batch_init(struct batch *b, size_t write_count, struct backend *backend, struct cache *cache,
    const struct identity_common *identities, struct err *e) MUST_CHECK;
void batch_fini(struct batch *b);

/* The batch's copy of a layer, made at its first use, also for a layer that does not exist. NULL with `e`. */
struct working *batch_layer(struct batch *b, const char *model, const char *layer, struct err *e) MUST_CHECK;

/* Passes on the result of a write to the database: after -1 the batch is broken. */
static inline int
batch_wrote(struct batch *b, int result)
{
	if (result < 0)
		b->broken = true;
	return result;
}

/* The layer was created or deleted. `base` gives its reference away. */
void working_created(struct working *w, const struct snapshot *base);
void working_deleted(struct working *w);

/*
 * The backend has deleted, or frozen or thawed, all layers of a model: brings the batch's copies along. Layers that it
 * has no copy of are read from the backend from now on, not from the cache.
 */
void batch_drop_model(struct batch *b, const char *model);
void batch_freeze_model(struct batch *b, const struct model_freeze *freeze);

/* The change at hand may make this name of a model stand for something else. Once per write at most. */
void batch_note_pointer(struct batch *b, const char *model, const char *name);

/* A version was deleted: its states leave the cache with the commit. */
int batch_drop_version(struct batch *b, const char *model, uint64_t number, struct err *e) MUST_CHECK;

/* What serves a model was switched: the windows of its layers begin anew with the commit. */
int batch_note_switch(struct batch *b, const char *model, struct err *e) MUST_CHECK;

/*
 * The mark of a model, as the transaction has it. A state whose `since` is not above it may be one that a version has:
 * batch_keep_state keeps it for them before it moves on or is deleted.
 */
int batch_mark(struct batch *b, const char *model, uint64_t *mark, struct err *e) MUST_CHECK;
int batch_keep_state(struct batch *b, struct working *w, struct err *e) MUST_CHECK;

/* Whether the layer exists and is the one that the write means. */
bool batch_has_layer(const struct working *w, const struct store_write *write);

/*
 * While a change is applied that may go back (b->may_go_back), batch_keep is called before a layer's copy is changed,
 * and batch_keep_model before a model's are; batch_end_change with `go_back` restores them all. In between no copy
 * is made anew.
 */
int batch_keep(struct batch *b, struct working *w, struct err *e) MUST_CHECK;
int batch_keep_model(struct batch *b, const char *model, struct err *e) MUST_CHECK;
void batch_end_change(struct batch *b, bool go_back);

/* Whether it is about a whole model or its versions: it has no working copy, and no key of a layer. */
bool write_is_of_model(const struct store_write *write);

/* Asks the submitter of an update about the state that it leads to, or, where it is repeated, that stands (store.h). */
int write_ask(const struct store_write *write, const struct snapshot *state, struct err *e) MUST_CHECK;

/* Applies one write (apply.c). -1 with `e` when it is refused, or b->broken. */
int write_apply(struct batch *b, struct store_write *write, struct err *e) MUST_CHECK;

/*
 * Applies a change (change.c). -1 with `e`: it is refused and has left no trace, or b->broken, and the whole batch must
 * be rolled back.
 */
int batch_apply(struct batch *b, struct store_change *change, struct err *e) MUST_CHECK;

/* Whether the key of a change that makes a version was used (apply_versions.c); sets `repeated` and `made`. */
int version_find_key(struct batch *b, struct store_change *change, struct err *e) MUST_CHECK;

/* Releases what the results hold, and zeroes them. */
void change_forget(struct store_change *change);

/* The batch has failed: takes back what a change to versions has left in the submitter's memory. */
void versions_undo(struct store_change *change);

/* Writes every dirty layer once, and its history, and reads the pointers that were noted. */
int batch_save(struct batch *b, struct err *e) MUST_CHECK;

/* After the commit: puts the new snapshots and pointers into the cache. */
void batch_publish(struct batch *b);
