/* SPDX-License-Identifier: MIT */
/*
 * The part of store.h that is about windows: what inference has read of a layer since its window began.
 *
 * A window is a row of the database and what came since that was saved, in memory. The store saves it at an interval,
 * and when it closes, by merging it into the row (docs/MATH.md, equation 7). So a process that is killed loses what
 * came in its last interval, and nothing else. A window begins anew with STORE_WINDOW_RESET and with each switch of
 * what serves the model (STORE_SERVE).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "norm/update.h"

struct snapshot;

/* How often windows are saved, unless the store's options say otherwise. */
#define STORE_WINDOWS_INTERVAL_US ((uint64_t)30 * 1000000)

/*
 * Adds the values of a call of inference to the window of the layer that `state`, live or of a version, is a state of.
 * `m`: its moments, below UPDATE_MEAN_POWER and UPDATE_VAR_POWER, one mean and one variance for each feature of the
 * state; it may count no values. What is added is in every result of STORE_WINDOW_GET from then on.
 *
 * Never waits, whoever else adds at the same time: from any thread that has a reference to the state. Nothing is added
 * where the state's number of features is open. Where memory lacks, or the windows that are not saved yet take twice
 * their bytes, the values are left out, and the store's log says so.
 */
void store_window_add(const struct snapshot *state, const struct moments *m);

/* A layer's window; errors no_such_layer, no_such_model. */
struct store_window {
	const char *model, *layer;
	int64_t layer_id;            /* no_such_layer if the name means another layer by now; 0: any */
	struct budget_share *memory; /* counts the lists, and the snapshot if it has to be loaded */

	const struct snapshot *snapshot; /* the layer's live state; a reference of the operation's own */
	struct moments moments;          /* of the snapshot's features; mean and var are NULL where it counts none */
	int64_t since_s;                 /* when it began: seconds since 1970; 0: nothing came yet, nor began it anew */
	double *lists;                   /* the operation's own: of the moments */
};
