/* SPDX-License-Identifier: MIT */
/*
 * What the store should hold, kept beside it in plain arrays: a few layers, batches of operations by chance, and what
 * each of them must come to. Statistics move by norm/update.h, as the store's do, so that equal means the same bits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "storage/store.h"
#include "tests/disk/world_sources.h"

#define WORLD_MODELS 2
#define WORLD_LAYERS 7 /* the model of layer i is i % WORLD_MODELS */
#define WORLD_MODEL_LAYERS ((WORLD_LAYERS + 1) / WORLD_MODELS)
#define WORLD_VERSIONS 2 /* of a model, at most */
#define WORLD_FEATURES_MAX 300
#define WORLD_STEPS_MAX 24

/* What a layer's window must hold: of each feature the same values, which are whole numbers. */
struct world_window {
	uint64_t count, sum;
};

/* A layer's expected state. */
struct world_layer {
	bool exists;
	bool frozen;
	bool trained;
	bool raised; /* the change at hand has raised the revision */
	uint64_t revision;
	uint64_t num_batches_tracked;
	double mean[WORLD_FEATURES_MAX];
	double var[WORLD_FEATURES_MAX];
	uint64_t count; /* of a pooled layer */
	struct world_sources sources;
	bool has_weight;
	double weight[WORLD_FEATURES_MAX];
	struct world_window window;
};

/* All layers of a model as they were. */
struct world_held {
	bool exists;
	uint64_t number; /* of a version */
	struct world_layer layers[WORLD_MODEL_LAYERS];
};

/* A model's versions. */
struct world_versions {
	uint64_t number;         /* the latest version's; it stays when the model goes */
	struct world_held pin;   /* that was taken in an earlier batch */
	struct world_held taken; /* in this one */
	struct world_held made[WORLD_VERSIONS];
	uint64_t serving;  /* 0: live */
	uint64_t switches; /* of what serves, so far */
	uint64_t alias;    /* the version of the only one; 0: there is none */
};

struct world {
	bool models[WORLD_MODELS];
	struct world_layer layers[WORLD_LAYERS];
	struct world_versions versions[WORLD_MODELS];
};

/* Why a write must be refused, beside that its layer or model is not there; for kinds that cannot be, it is nothing. */
enum world_refusal {
	WORLD_FINE,
	WORLD_MISSHAPEN,      /* an update, statistics or a source with another number of features */
	WORLD_NON_FINITE,     /* an update, or a source, that is not finite */
	WORLD_OTHER_REVISION, /* a precondition that does not hold */
	WORLD_OTHER_LAYER,    /* another layer is meant by the name */
	WORLD_REFUSALS
};

/*
 * A write: its kind, the layer that it is about, and the number from which its values come. Where the number of a
 * change's first write is odd, it is the change's key too.
 */
struct world_step {
	enum store_write_kind kind;
	unsigned layer;
	uint64_t number;
	uint64_t version; /* of STORE_VERSION_DELETE, STORE_SERVE, STORE_ALIAS_PUT: which; 0: live */
	bool joins;       /* it is of the same change as the step before it */
	enum world_refusal refusal;
};

/* What is submitted at once, and so stored in one transaction. */
struct world_batch {
	unsigned count;
	bool adds; /* first, values come to windows */
	struct world_step steps[WORLD_STEPS_MAX];
};

/* What a write's change must answer when the storage is well, and what the write comes to. */
struct world_answer {
	enum err_code code;
	uint64_t revision;
	uint64_t num_batches_tracked;
};

const char *world_model_name(unsigned layer);
const char *world_layer_name(unsigned layer);
size_t world_features(unsigned layer);

/* Whether a layer is pooled, and so may have sources; with which divisor. */
bool world_pools(unsigned layer);
unsigned world_ddof(unsigned layer);

/* Which source a step is about; WORLD_SOURCES: the part without one, for updates. A fold takes one or two. */
size_t world_source(const struct world_step *step);
bool world_folds_two(const struct world_step *step);

/* `count` values of a step: finite; all above 0 where they are variances. */
void world_values(uint64_t number, double *values, size_t count);

/*
 * A batch that adds, out of a sequence of random numbers (its state is *random). Its first change can be done and moves
 * something; it consists of updates where it can.
 */
void world_make_batch(struct world_batch *batch, const struct world *w, uint64_t *random);

/* How many features a step speaks of. */
size_t world_step_features(const struct world_step *step);

/*
 * The update that a step of kind STORE_UPDATE means, and the totals of STORE_SOURCE_PUT; mean and var have room for
 * WORLD_FEATURES_MAX.
 */
struct update world_update(const struct world_step *step, double *mean, double *var);

/* What comes to the window of a step's layer before the batch: so many values, all the same. */
struct world_window world_add(const struct world_step *step);

/* Whether the moments of a window are as expected: their count exactly, the rest up to rounding. */
bool world_window_equals(const struct world_window *expected, const struct moments *m, size_t n);

/* Adds all that a batch adds before its changes: the store may save that first, or with them. */
void world_apply_adds(struct world *w, const struct world_batch *batch);

/* How many steps the change has that begins with step i. */
unsigned world_change_count(const struct world_batch *batch, unsigned i);

/* Moves the world on by the change that begins with step i, or by all of a batch, with `answers` for each step. */
void world_apply_change(struct world *w, const struct world_batch *batch, unsigned i, struct world_answer *answers);
void world_apply_batch(struct world *w, const struct world_batch *batch, struct world_answer *answers);

/* Whether a step deletes its layer, or the model. */
bool world_deletes(const struct world_step *step);

/* Whether it is about a model or its versions, and not about its layer alone. */
bool world_is_of_model(const struct world_step *step);

/* What a step of the kinds that freeze sets: mostly false, so that most updates can be done. */
bool world_frozen(const struct world_step *step);

/* Whether a batch's first change can be repeated after all of it: the layers stay. */
bool world_batch_can_be_repeated(const struct world_batch *batch);

/* The store was closed, or its process ended: pins do not outlive it. */
void world_lose_pins(struct world *w);

/* Whether a state of a layer (NULL: there is none) is as expected, to the bit. */
bool world_layer_equals(const struct world_layer *expected, unsigned layer, const struct snapshot *state);
