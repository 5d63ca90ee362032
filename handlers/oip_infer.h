/* SPDX-License-Identifier: MIT */
/*
 * A call of the Open Inference Protocol: some layers of a model, each applied to the input of its name. The files
 * oip_*.c share what is declared here; a request keeps it between its steps.
 */
#pragma once

#include "codec/oip.h"
#include "handlers/handlers.h"
#include "handlers/request_call.h"

/* The most inputs of a call. */
#define OIP_INPUTS_MAX ((size_t)4096)

/* A layer of the call, and its input. */
struct oip_layer {
	const struct oip_input *input;
	const struct snapshot *state;
	struct call call;
	struct store_write *write;              /* of the change that trains; NULL: it has none */
	bool infers;                            /* of a call that trains: by running statistics, without an update */
	bool asked_for;                         /* an output names it */
	uint64_t num_batches_tracked, revision; /* as answered */
};

/* An output of the answer. */
struct oip_output {
	const struct oip_layer *layer;
	bool binary;
};

struct oip_share;

struct oip {
	/* What the client asks for (oip_options.c). */
	bool train;
	bool binary;    /* outputs are, that do not say otherwise */
	const char *id; /* NULL: none */
	size_t count;
	struct oip_layer *layers; /* in the order of the inputs */
	const char **names;       /* theirs */
	size_t output_count;
	struct oip_output *outputs; /* in the order of the answer */

	/* The states of the layers (oip_infer.c). */
	struct store_which which;
	const struct snapshot **states; /* a reference to each, or NULL */
	size_t bytes_before;            /* of the request's memory, before they were loaded */
	size_t states_bytes;            /* of it, which they take */
	struct usage_call used;         /* for the counters */
	uint64_t began_us;              /* the step at hand */

	/* Of a call that trains (oip_train.c). */
	enum { OIP_READING, OIP_ASKING, OIP_STORING } stage; /* what the store was last asked for */
	struct store_write *writes;
	size_t write_count;
	bool repeated; /* the key was used before */
	uint64_t seed; /* of the layers that shuffle */
	bool has_seed;
	bool failed; /* with `err`, an output that was computed while the store was at work */
	struct err err;

	/* oip_share.c */
	struct oip_share *shares;
	size_t share_count;
};

/*
 * oip_options.c: reads the request. The layers are zeroed but for their inputs. NULL with `e`: bad_parameter,
 * no_such_layer for an input whose name no layer can have.
 */
struct oip *oip_read(struct request *rq, struct err *e) MUST_CHECK;

/* Puts the name of the layer's input before the detail. Returns -1. */
int oip_name_input(const struct oip_layer *l, struct err *e);

/*
 * oip_share.c: lets idle threads take part in a call of many values. oip_share_out, once the layers' calls are made,
 * gives each its workspace; oip_each calls `step` with each layer, and fails as the first of them that does; oip_rejoin
 * frees what they have taken. No layer may fail for its place in the list, or for the number of threads.
 */
typedef int oip_step(struct oip_layer *l, struct err *e);
int oip_share_out(struct request *rq, struct oip *o, struct err *e) MUST_CHECK;
int oip_each(struct request *rq, struct oip *o, oip_step *step, struct err *e) MUST_CHECK;
void oip_rejoin(struct oip *o);

/*
 * oip_answer.c: oip_expect_answer refuses what cannot be answered and makes room for the rest, before anything is
 * computed or stored. oip_answer then needs no memory that might be missing.
 */
int oip_expect_answer(struct request *rq, const struct oip *o, struct err *e) MUST_CHECK;
void oip_answer(struct request *rq, const struct oip *o);

/* oip_train.c: begins to train, once the layers' states are known; goes on when the store has answered. */
int oip_train(struct request *rq, struct oip *o, struct err *e) MUST_CHECK;
int oip_train_go_on(struct request *rq, struct oip *o, struct err *e) MUST_CHECK;
