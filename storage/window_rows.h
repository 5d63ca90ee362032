/* SPDX-License-Identifier: MIT */
/* Windows and their rows: how a slice of windows is saved, and what a layer's window is. The store's thread. */
#pragma once

#include "storage/batch.h"
#include "storage/reads.h"
#include "storage/windows.h"

/*
 * Saves a slice, if one is due: first in a batch, so that a change of it which begins windows anew finds all that came
 * before. -1 with `e`: the batch must be rolled back; windows_end_slice follows in any case.
 */
int window_rows_save(struct batch *b, struct err *e) MUST_CHECK;

/* Begins a layer's window anew, with the batch's time. */
int window_rows_reset(struct batch *b, const struct working *w, struct err *e) MUST_CHECK;

/* What a layer's window holds by now. */
struct window_values {
	struct moments moments; /* of the state's features; its lists are in `lists`, or NULL if the count is 0 */
	int64_t since_s;
	double *lists; /* to be freed */
	size_t bytes;  /* that stay counted for them */
};

/* Of the layer of a state. */
int window_rows_read(const struct committed *c, const struct snapshot *state, struct budget_share *memory,
    struct window_values *out, struct err *e) MUST_CHECK;
