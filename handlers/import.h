/* SPDX-License-Identifier: MIT */
/*
 * PUT .../state.safetensors: a file, saved from any PyTorch model, becomes the state of a model's layers.
 *
 *   import_header.c    the file's header is known: which layers of the model it has tensors of, which layers are new,
 *                      and which tensors are kept therefore. The others are dropped as they arrive
 *   import_metadata.c  one layer: what the metadata says of it
 *   import_layer.c     one layer: whether the file's tensors fit it
 *   import.c           the file has ended: its values are checked, and all is written in one change
 *   import_write.c     one layer: its values, and what is written to the store
 *
 * The memory grows with the header and with what is kept, not with the file, and not with the model: its layers are
 * looked at page by page.
 */
#pragma once

#include "handlers/request.h"
#include "handlers/state_tensors.h"
#include "handlers/states.h"

/* A layer that the file has something of. */
struct import_layer {
	char name[STORE_NAME_MAX + 1];
	int64_t id; /* 0: the layer does not exist, and is created */
	uint64_t revision;
	size_t state_bytes; /* of the layer's present lists */
	struct definition definition;
	size_t features; /* 0: not fixed yet */

	/* Of the file: which of its tensors, and their values. */
	bool has[STATE_TENSOR_COUNT];
	size_t at[STATE_TENSOR_COUNT];
	double *values[STATE_BATCHES]; /* of those before it */
	size_t value_count[STATE_BATCHES];
	struct statistics statistics; /* but for mean and var */

	struct store_write *create; /* NULL: it exists */
	struct store_write *write;  /* the last one, which tells the revision; NULL: there is nothing to write */
};

/* An import, in rq->scratch. All of it is in the request's arena. */
struct import {
	struct import_layer **layers; /* first those that exist, in the order of their names */
	size_t count, room;
	size_t existing;
	bool model_exists;
	struct states_reading reading; /* of the model's layers */
	uint64_t kept_bytes;           /* of the file */
};

/* Finds the tensors of the layer in the file. True: there are some. */
bool import_find_tensors(const struct safetensors *file, struct import_layer *layer);

/* Whether they are lists, as those of a batch normalization are, of a layer that does not exist. */
bool import_is_batch_norm(const struct safetensors *file, const struct import_layer *layer);

/* Makes the definition of such a layer. */
int import_define(const struct safetensors *file, struct import_layer *layer, struct err *e) MUST_CHECK;

/*
 * Compares the definition in the file's metadata, if there is one, with that of the layer; the layer gets it if it does
 * not exist. Errors: bad_parameter, layer_differs.
 */
int import_read_definition(struct request *rq, struct import_layer *layer, struct err *e) MUST_CHECK;

/*
 * Reads the number of values in the statistics from the file's metadata: pooled and decayed averaging weigh them by it,
 * and PyTorch has no tensor for it. Error: bad_parameter, also where it is missing.
 */
int import_read_count(struct request *rq, struct import_layer *layer, struct err *e) MUST_CHECK;

/* Checks the layer's tensors, as the header describes them, against its definition, and keeps their values. */
int import_keep(struct request *rq, struct import_layer *layer, struct err *e) MUST_CHECK;

/* Checks the values. */
int import_check_values(struct import_layer *layer, struct err *e) MUST_CHECK;

/* Makes the layer's writes, at most IMPORT_WRITES_MAX, and moves *next behind them. */
#define IMPORT_WRITES_MAX ((size_t)3)
int import_write(struct request *rq, struct import_layer *layer, struct store_write **next, struct err *e) MUST_CHECK;
