/* SPDX-License-Identifier: MIT */
/*
 * What was read for a plan (storage/plan.h), until the transaction has ended: what `load`, `load_pointer` and
 * `find_key` tell without asking the database. What the transaction changes by other means than `save` is forgotten.
 */
#pragma once

#include "storage/pg_params.h"
#include "storage/backend.h"

struct pg_held_layer {
	const struct snapshot *snapshot; /* a reference; NULL: there is none */
	bool known;                      /* `snapshot` is what the transaction sees */
	int64_t id;
	int64_t revision; /* that the row has by now; -1: not known */
};

struct pg_model_row {
	int64_t id; /* 0: there is none */
	uint64_t mark, serving;
	int64_t number, switch_last;
};

struct pg_held_model {
	bool known;
	struct pg_model_row row;
};

struct pg_held_key {
	bool found;
	struct used_key used;
};

struct pg_held {
	const struct batch_plan *plan; /* NULL: nothing is held */
	struct pg_held_layer *layers;
	struct pg_held_model *models;
	struct pg_held_key *keys;
};

/* Keys that are added with the commit, in arrays of one model at a time. */
struct pg_new_key {
	const struct layer_identity *layer; /* a reference */
	const char *key;                    /* the change's */
	struct used_key used;
	int64_t created_s, turn;
};

struct pg_new_keys {
	struct pg_new_key *list;
	size_t count, room;
};

/* Empty lists for a plan. */
int pg_held_init(struct pg_held *h, const struct batch_plan *plan, struct err *e) MUST_CHECK;
void pg_held_fini(struct pg_held *h);

/* NULL: the plan does not name it. */
struct pg_held_layer *pg_held_layer(const struct pg_held *h, const char *model, const char *name);
struct pg_held_model *pg_held_model(const struct pg_held *h, const char *model);

/* All of a model has changed in the database: it is read again, and so are its layers. */
void pg_held_forget_model(struct pg_held *h, const char *model);

/*
 * Sends what reads a plan's models, layers and keys: locking them, or not. *count: how many results pg_held_take takes.
 */
void pg_held_ask(struct backend *b, bool lock, size_t *count);
int pg_held_take(struct backend *b, PGresult *const *results, struct err *e) MUST_CHECK;
